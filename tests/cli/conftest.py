"""Run the command line in this process (fast) or in separate processes (real), on a trained run."""

import os
import subprocess
import sys
from typing import NamedTuple

import jax
import numpy as np
import pytest

from unspool.cli.main import app, main

VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20
SMALL = [
    "--hidden", "8", "--batch", "4", "--steps-per-chunk", "8", "--max-steps", "12",
    "--eval-every", "5", "--sample-tokens", "20",
]  # fmt: skip


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The user's cache: compiled programs are kept there from command to command."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "unspool").mkdir()
    (folder / "unspool" / "xla").symlink_to(jax.config.jax_compilation_cache_dir)
    return folder


@pytest.fixture(autouse=True)
def _user_cache(cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def process(cache):
    """Start a real `unspool` process."""

    def start(*arguments, env=None, **options):
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            [sys.executable, "-m", "unspool", *map(str, arguments)],
            **{**streams, "text": True, **options},
            env={**os.environ, "XDG_CACHE_HOME": str(cache), **(env or {})},
        )

    return start


@pytest.fixture(scope="session")
def spawn(process):
    """Run `unspool` in a separate process, to its end."""

    def run(*arguments, stdin="", **options):
        with process(*arguments, **options) as started:
            out, err = started.communicate(stdin, timeout=120)
        return Done(started.returncode, out, err)

    return run


@pytest.fixture
def unspool(monkeypatch, capsys):
    """Run `unspool` in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["unspool", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return Done(end.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(unspool, tmp_path, monkeypatch):
    """Run `unspool` and expect it to fail with one line containing `message`, without a run "r".

    `{name}` stands for the place of that name, in arguments and message.
    """
    monkeypatch.chdir(tmp_path)

    def run(arguments, message, places):
        named = {f"{{{name}}}": str(place) for name, place in places.items()}
        done = unspool(*(named.get(argument, argument) for argument in arguments))
        assert (done.code, done.err.count("\n")) == (2, 1)
        for name, place in named.items():
            message = message.replace(name, place)
        assert message in done.err
        assert not (tmp_path / "r").exists()

    return run


@pytest.fixture(scope="session")
def verse(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "verse.txt"
    path.write_text(VERSE)
    return path


@pytest.fixture(scope="session")
def trained(spawn, verse, tmp_path_factory):
    """A finished run: read it only, or copy it."""
    run = tmp_path_factory.mktemp("trained") / "run"
    done = spawn("train", "text", verse, "--run", run, *SMALL)
    assert done.code == 0, done.err
    return run


@pytest.fixture
def small():
    """Options that make a run tiny."""
    return SMALL


TINY = ["--hidden", "4", "--batch", "4", "--max-steps", "2", "--eval-every", "2"]


@pytest.fixture(scope="session")
def tiny_sources(tmp_path_factory):
    """A folder of small sources, and the words after `unspool train KIND` for each kind."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "text.txt").write_text(VERSE)
    (folder / "lines.tsv").write_text(
        "label\ttext\n" + "".join(f"a\tone thread {i}\nb\ttwo wheels {i}\n" for i in range(12))
    )
    (folder / "words.txt").write_text(
        "".join(f"The\tDET\ndog{i}\tNOUN\nruns\tVERB\n\n" for i in range(12))
    )
    (folder / "pairs.tsv").write_text("in and out\train und raus\nthe wheel\tdas rad\n" * 12)
    draw = np.random.default_rng(0)
    np.savez(folder / "images.npz", images=draw.integers(0, 255, (24, 6, 6), np.uint8),
             labels=["a", "b"] * 12)  # fmt: skip
    names = [f"{i}.png" for i in range(12)]
    np.savez(folder / "features.npz", names=names, features=draw.normal(size=(12, 4, 8)))
    (folder / "captions.tsv").write_text("".join(f"{name}\ta red wheel\n" for name in names))
    words = {
        "text": ["text.txt", "--steps-per-chunk", "8", "--sample-tokens", "0"],
        "classify": ["lines.tsv"], "tag": ["words.txt"], "generate": ["lines.tsv"],
        "translate": ["pairs.tsv", "--tokens", "char", "--embedding", "8"],
        "caption": ["--features", "features.npz", "--captions", "captions.tsv"],
        "glimpse": ["images.npz"],
    }  # fmt: skip
    named = {
        kind: [str(folder / word) if (folder / word).exists() else word for word in line] + TINY
        for kind, line in words.items()
    }
    return folder, named


@pytest.fixture(scope="session")
def kinds(tiny_sources):
    """A folder of small sources and a finished run of every kind, with its name: read it only."""
    folder, words = tiny_sources
    for kind, line in words.items():
        app(["train", kind, *line, "--run", str(folder / kind)], standalone_mode=False)
    return folder
