"""Every option of every command, with odd values."""

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.support import mostly_slow, slow

from unspool.cli.main import app

# A command that works, with places of the folder of `kinds` in braces.
WORKING = {
    "sample": "{text} --max-new-tokens 3", "classify": "{glimpse} {images.npz}",
    "tag": "{tag} word", "translate": "{translate} in", "caption": "{caption} {features.npz}",
    "eval": "{text}", "inspect": "{text}", "info": "{text}", "bench": "--quick --only sampling",
    "gradients": "{text.txt} --cell rnn --hidden 4 --steps 4 --ends 2",
    "train text": "{text.txt} --run r", "train classify": "{lines.txt} --run r",
    "train tag": "{words.txt} --run r", "train generate": "{lines.txt} --run r",
    "train translate": "{pairs.tsv} --run r", "train glimpse": "{images.npz} --run r",
    "train caption": "{features.npz} {captions.tsv} --run r",
}  # fmt: skip


def commands() -> dict[str, Any]:
    group = typer.main.get_command(app)
    train = group.commands["train"].commands
    return {**group.commands, **{f"train {name}": train[name] for name in train}}


def parameters(*kinds: type) -> list[tuple[str, str, str]]:
    """Command, name and flag (or nothing) of all whose values are of these kinds."""
    found = []
    for name in WORKING:
        for parameter in commands()[name].params:
            annotation = str(parameter.type_descriptor.annotation)
            if any(kind.__name__ in annotation for kind in kinds):
                flag = parameter.opts[0] if parameter.opts[0].startswith("-") else ""
                found.append((name, parameter.name, flag))
    return found


def is_file(command: str, name: str) -> bool:
    parameter = next(p for p in commands()[command].params if p.name == name)
    converter = getattr(parameter, "type_descriptor", None)
    return bool(converter and converter.parameter_info.parser)


FILES = [p for p in parameters(str, Path) if is_file(p[0], p[1])]
NUMBERS = [p for p in parameters(int, float) if p[2] and not p[0].startswith("train")]


@pytest.fixture
def odd(kinds, unspool, tmp_path, monkeypatch):
    """Run a working command with one odd argument in an empty folder with a FIFO and a folder."""
    here = tmp_path / "here"
    here.mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(here)

    def run(command, flag, value):
        words = WORKING[command].split()
        words = [str(kinds / w[1:-1]) if w.startswith("{") else w for w in words]
        if not flag:
            words = words[1:] if command == "info" else [w for w in words if kinds.name not in w]
        elif flag == "--run" and command.startswith("train"):
            words = words[:-2]
        odd = [f"{flag}={value}"] if flag else [value]
        return unspool(*command.split(), *words, *odd)

    return run


def assert_one_line(done):
    assert done.code == 2, done
    assert done.err.startswith("unspool: "), done.err
    assert done.err.count("\n") == 1, done.err
    assert not [c for c in done.out + done.err if unicodedata.category(c) == "Cc" and c != "\n"]
    assert "Traceback" not in done.err
    assert not list(Path.cwd().iterdir())


ODD_NAMES = {
    "empty": "", "missing": "no/such", "folder": "../folder/", "pipe": "../fifo",
    "not UTF-8": os.fsdecode(b"no/such\xff"), "escape": "no/such\x1b]0;x\x07\n[link=x]y[/link]",
    "NUL": "a\0b", "long": "a" * 300 + "/b", "home": "~/no/such",
}  # fmt: skip


@pytest.mark.parametrize("what", mostly_slow(ODD_NAMES, "missing", "pipe"))
@pytest.mark.parametrize(("command", "name", "flag"), FILES)
def test_odd_names_of_files(odd, tmp_path, monkeypatch, command, name, flag, what):
    monkeypatch.setenv("HOME", str(tmp_path))
    if what in ("folder", "missing", "escape", "not UTF-8", "home") and name == "run":
        pytest.skip("a new run directory may have any name")
    assert_one_line(odd(command, flag, ODD_NAMES[what]))
    assert (tmp_path / "fifo").is_fifo()


@pytest.mark.parametrize(
    "value", [-1, "nan", *slow(10**18, 99999999999999999999, "1e39", "many", "")]
)
@pytest.mark.parametrize(("command", "name", "flag"), NUMBERS)
def test_odd_numbers(odd, command, name, flag, value):
    """Refused on one line, or so harmless that nothing is said."""
    if (name, value) in (("rounds", 10**18), ("rounds", 99999999999999999999)):
        pytest.skip("as long as one likes")
    done = odd(command, flag, value)
    if done.code == 0:
        assert value not in ("nan", "many", "")
        assert "Warning" not in done.err
    else:
        assert_one_line(done)


@pytest.mark.parametrize("flag", ["--learning-rate", "--clip-norm", "--max-minutes"])
@pytest.mark.parametrize("value", ["1e39", "nan", "inf", "-1"])
def test_odd_numbers_of_training(odd, flag, value):
    assert_one_line(odd("train text", flag, value))


@pytest.mark.parametrize("size", [4_000_000_000, 10**18, 99999999999999999999])
def test_a_picture_that_no_memory_holds(odd, size):
    assert_one_line(odd("train caption", "--picture-size", size))
