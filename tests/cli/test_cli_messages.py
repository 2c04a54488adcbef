"""Messages name the command's own options, and contain no control characters from files."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import typer

from unspool.cli import console
from unspool.cli.command import Command, either
from unspool.cli.main import app
from unspool.errors import ConfigError, DataError

EVIL = "\x1b]0;title\x07[link=https://x.y]z[/link]\x9b2J"
SHOWN = r"\x1b]0;title\x07[link=https://x.y]z[/link]\x9b2J"
TINY = ["--hidden", "4", "--batch", "4", "--max-steps", "2", "--eval-every", "2"]


def command(name):
    found = typer.main.get_command(app)
    for word in name.split():
        found = found.commands[word]
    return found


@pytest.mark.parametrize(
    ("name", "option", "spelled"),
    [
        ("train text", "tokens=byte", "--tokens byte"), ("train translate", "tokens=byte", None),
        ("train glimpse", "tokens=byte", None), ("train text", "hidden_size", "--hidden"),
        ("train text", "embedding_size", "--embedding"), ("train glimpse", "num_layers", None),
        ("train tag", "val", "--val"), ("train translate", "val", None), ("eval", "val", None),
        ("sample", "count", "--count"), ("translate", "do_sample", "--sample"),
        ("studio", "runs_dir", None), ("bench", "json_file", "--json"),
    ],
)  # fmt: skip
def test_an_option_is_spelled_as_the_command_has_it(name, option, spelled):
    assert command(name).spell(option) == spelled


def test_a_message_names_only_what_the_command_has():
    error = DataError("a.txt is odd", "mend it", {"tokens=byte": "use {}", "min_count": "lower {}"})
    assert str(error) == "a.txt is odd: mend it or use tokens='byte' or lower min_count"
    assert error.message(command("train translate").spell) == (
        "a.txt is odd: mend it or lower --min-count"
    )
    assert error.message(command("eval").spell) == "a.txt is odd: mend it"


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ("hidden_size must be at least 1, got 0", "--hidden must be at least 1, got 0"),
        ("tied weights need embedding_size equal to hidden_size (3), got 4",
         "tied weights need --embedding equal to --hidden (3), got 4"),
        ("val must be a file, got 'num_layers'", "--val must be a file, got 'num_layers'"),
        ("c.toml: hidden must be at least 1", "c.toml: hidden must be at least 1"),
        ("runs/num_layers is odd", "runs/num_layers is odd"),
        ("unknown_name must be 1", "unknown_name must be 1"),
        ("hidden files must not be read", "hidden files must not be read"),
    ],
)  # fmt: skip
def test_arguments_in_facts_are_flags_and_texts_of_others_stay(fact, told):
    assert ConfigError(fact).message(command("train text").spell) == told


def test_every_command_speaks_for_itself():
    group = typer.main.get_command(app)
    leaves = [*group.commands.values(), *group.commands["train"].commands.values()]
    assert all(isinstance(c, Command) for c in leaves if not hasattr(c, "commands"))


@pytest.mark.parametrize(
    ("words", "told"), [([], ""), (["a"], "a"), (["a", "b", "c"], "a, b or c")]
)  # fmt: skip
def test_a_list_of_words(words, told):
    assert either(words) == told


@pytest.fixture
def told(unspool, kinds, tmp_path, monkeypatch):
    """The one line that a refused command ends with; {name} is a place of `kinds`."""
    monkeypatch.chdir(tmp_path)
    contents = {
        "one.txt": "a", "empty.txt": "", "latin.tsv": "label\ttext\na\tcaf\xe9\nb\td\n",
        "one.tag": "The\tDET\ndog\tNOUN\n\n", "pair.tsv": "hello\thallo\n",
        "same.tsv": "label\ttext\n" + "pos\ta b\n" * 4, "s": "in\n" * 6, "t": "rein\n" * 6,
    }  # fmt: skip
    for name, text in contents.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    draw = np.zeros((4, 3, 1), np.float32)
    np.savez(tmp_path / "same.npz", series=draw, labels=["x"] * 4)
    names, values = ["a", "b"], np.full((2, 3), np.nan, np.float32)
    np.savez(tmp_path / "nan.npz", names=names, features=values)
    (tmp_path / "c.tsv").write_text("a\tx y\nb\tz w\n")

    def run(line):
        words = [str(kinds / w[1:-1]) if w.startswith("{") else w for w in line.split()]
        done = unspool(*words)
        assert (done.code, done.err.count("\n")) == (2, 1), done
        return done.err

    return run


MESSAGES = [
    ("eval {text} one.txt", "at least 2 tokens, got 1 (one.txt)", "training part val_fraction"),
    ("train text {text.txt} --val one.txt --run r", "validation text must have", "fraction"),
    (
        "train text {text.txt} --batch 64 --steps-per-chunk 512 --run r",
        "lower --batch or lower --steps-per-chunk",
        "steps_per_chunk",
    ),
    (
        "train text {text.txt} --tied --batch 4 --steps-per-chunk 8 --run r",
        "--embedding equal to --hidden",
        "embedding_size",
    ),
    ("gradients empty.txt", "the text is empty", "vocab_size"),
    ("train classify latin.tsv --run r", "iconv -f", "--tokens"),
    ("train tag one.tag --run r", "--val", "label"),
    ("train translate pair.tsv --run r", "--val-source", "label (--val)"),
    ("train translate latin.tsv --run r", "iconv -f", "--tokens"),
    ("train generate latin.tsv --run r", "iconv -f", "--tokens"),
    ("train classify same.tsv --run r", "'pos'", "np.str_"),
    ("train classify same.npz --run r", "'x'", "np.str_"),
    ("train caption --features nan.npz --captions c.tsv --run r", "of 'a'", "np.str_"),
    ("train caption --features nan.npz --fine-tune --run r", "are needed", ""),
    (
        "eval {translate} --source s --target t --tokenize ja-mecab",
        "--tokenize must have its package",
        "",
    ),
    ("translate {translate} in --temperature 2", "--temperature, --top-k", "do_sample"),
    ("translate {translate} in --n-best 9", "--n-best must be at most --num-beams", ""),
    ("train translate --source s --run r", "--target", ""),
    ("sample {text} --condition a", "--condition", ""),
    ("sample {text} --count 99999999999999999999", "--count must be", ""),
    ("inspect {text} --seed -1", "--seed", ""),
]


@pytest.mark.parametrize(("line", "has", "lacks"), MESSAGES)
def test_messages(told, line, has, lacks):
    message = told(line)
    assert all(word in message for word in ([has] if " " in has else has.split()) if word), message
    assert not [word for word in lacks.split() if word in message], message


@pytest.mark.parametrize(
    ("name", "named"),
    [("train text", "lower --hidden, --layers, --batch or --steps-per-chunk"),
     ("train glimpse", "lower --hidden or --batch"),
     ("sample", "lower --count or --max-new-tokens"),
     ("info", "not enough memory\n")],
)  # fmt: skip
def test_not_enough_memory_names_what_can_be_lowered(unspool, monkeypatch, kinds, name, named):
    def fail(*_, **__):
        raise MemoryError

    for module in ("train", "sample", "info"):
        monkeypatch.setattr(f"unspool.cli.{module}.prepare", fail, raising=False)
    monkeypatch.setattr("unspool.cli.info.load", fail)
    words = [kinds / "text.txt", "--run", "r"] if name.startswith("train") else [kinds / "text"]
    done = unspool(*name.split(), *words)
    assert done.code == 2
    assert named in done.err


def is_clean(text):
    return not [c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]


@pytest.mark.slow
def test_a_label_and_a_text_are_shown_and_not_obeyed(unspool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{EVIL}a\tone {EVIL}{i}\nb\ttwo {i}\n" for i in range(6))
    (tmp_path / "t.tsv").write_text(f"label\ttext\n{rows}")
    done = unspool("train", "classify", "t.tsv", "--run", "r", *TINY)
    assert done.code == 0, done.err
    for words in (["classify", "r", f"one {EVIL}"], ["eval", "r"], ["info", "r"]):
        done = unspool(*words)
        assert is_clean(done.out + done.err), done
        assert SHOWN in done.out
    (line,) = unspool("classify", "r", f"one {EVIL}", "--json").out.splitlines()
    assert is_clean(line)
    assert json.loads(line)["text"] == f"one {EVIL}"


def test_tags_and_words_are_shown(unspool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text("".join(f"dog{i}\tN{EVIL}\nruns\tV\n\n" for i in range(6)))
    assert unspool("train", "tag", "t.txt", "--run", "r", *TINY).code == 0
    done = unspool("tag", "r", f"dog{EVIL} runs")
    assert is_clean(done.out)
    assert f"dog{SHOWN}\t" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_a_network_wrote_is_raw_in_a_pipe_alone(unspool, tmp_path, monkeypatch, is_terminal):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text("\x1b\x07\t\n" * 200)
    lines = "a\t\x1b\x07\nb\t\x07\na\t\x1b\x1b\nb\t\x07\x07\n" * 3
    (tmp_path / "l.tsv").write_text(f"label\ttext\n{lines}")
    (tmp_path / "p.tsv").write_text("in\t\x1b\x07\nout\t\x07\n" * 6)
    small = ["--steps-per-chunk", "8", "--sample-tokens", "20"]
    done = unspool("train", "text", "t.txt", "--run", "t", *TINY, *small)
    assert done.code == 0, done.err
    assert is_clean(done.out)  # samples among the lines of training
    assert unspool("train", "generate", "l.tsv", "--run", "g", *TINY).code == 0
    assert unspool("train", "translate", "p.tsv", "--run", "p", "--tokens", "char", *TINY).code == 0
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    written = [
        unspool("sample", "t", "--max-new-tokens", 60, "--seed", 1, "--temperature", 1).out,
        unspool("sample", "t", "--max-new-tokens", 60, "--count", 2, "--temperature", 1).out,
        unspool("sample", "g", "--condition", "a", "--max-new-tokens", 60, "--count", 5).out,
        unspool("translate", "p", "in", "--sample", "--n-best", 5).out,
    ]
    assert [is_clean(text) for text in written] == [is_terminal] * 4
    assert r"\x1b" in written[0] or not is_terminal
    assert "\n" in written[0]


def test_names_of_patterns_and_runs_are_no_markup(unspool, kinds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "a[bold]b[/nope]\x1b"
    done = unspool("inspect", kinds / "text", "--pattern", f"{name}=thread")
    assert done.code == 0, done.err
    assert is_clean(done.out)
    assert "a[bold]b[/nope]" in done.out
    done = unspool("inspect", kinds / "text", "--pattern", f"{name}=\\Zx")
    assert r"a[bold]b[/nope]\x1b" in done.out
    run = shutil.copytree(kinds / "text", tmp_path / "a[bold]b[nope]\x1b")
    done = unspool("gradients", kinds / "text.txt", "--run", run, "--steps", 4, "--ends", 2)
    assert is_clean(done.out + done.err)
    assert r"a[bold]b[nope]\x1b" in done.out


@pytest.mark.parametrize("name", ["a b", "it's", "-x", "a\nb", "a\x1b'\\b", os.fsdecode(b"a\xff")])
def test_printed_commands_are_for_the_shell(name):
    quoted = console.quoted(name)
    assert quoted.isprintable()
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {quoted}"], capture_output=True)
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(f"./{name}" if name[0] == "-" else name)]


def test_the_next_command_runs_as_it_is_printed(unspool, kinds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, small = "my runs/it's", ["--steps-per-chunk", "8", "--sample-tokens", "0"]
    done = unspool("train", "text", kinds / "text.txt", "--run", run, *TINY, *small)
    line = done.out.splitlines()[-1].removeprefix("write with: ")
    words = shlex.split(line)[1:]
    assert words[:2] == ["sample", run]
    assert unspool(*words[:-1], "the", "--max-new-tokens", 3).code == 0


@pytest.mark.parametrize(
    ("flag", "words"),
    [("--attention", ["translate", "{translate}", "in"]), ("--html", ["inspect", "{text}"]),
     ("--out", ["inspect", "{text}"]), ("--plot", ["classify", "{glimpse}", "{images.npz}"])],
)  # fmt: skip
def test_outputs_may_have_names_that_are_not_utf_8(unspool, kinds, tmp_path, flag, words):
    suffix = ".npz" if flag == "--out" else ".html"
    target = os.fsdecode(os.fsencode(tmp_path) + b"/n\xff" + os.fsencode(suffix))
    words = [str(kinds / w[1:-1]) if w.startswith("{") else w for w in words]
    done = unspool(*words, flag, target)
    assert done.code == 0, done.err
    assert os.path.getsize(target) > 100


def test_json_is_strict(capsys):
    value = {
        "nan": float("nan"),
        "list": [1.0, float("inf"), "a\x9b\x1b\udcff"],
        "name": "é—\u200d",
    }
    console.print_json(value)
    line = capsys.readouterr().out
    assert json.loads(line, parse_constant=pytest.fail) == {**value, "nan": None, "list": [
        1.0, None, "a\x9b\x1b\udcff"]}  # fmt: skip
    assert is_clean(line)
    assert "é—\u200d" in line


def test_eval_of_weights_that_are_not_finite(unspool, kinds, tmp_path, monkeypatch):
    from unspool import Evaluation
    from unspool.tasks.text.run import Run

    nan = Evaluation(float("nan"), 3, metrics={"accuracy": float("inf")})
    monkeypatch.setattr(Run, "evaluate", lambda *_, **__: nan)
    done = unspool("eval", kinds / "text", "--json")
    assert json.loads(done.out, parse_constant=pytest.fail)["loss_nats"] is None
