"""Run the command line in this process (fast) or in separate processes (real), on a trained run."""

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from typing import NamedTuple

import pytest
from tests.cli.tiny import COMMANDS, SMALL, VERSE, write_sources
from tests.programs import PROGRAMS, keep_programs

from unspool.cli.main import app, main


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The user's cache: compiled programs are kept there from command to command."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "unspool").mkdir()
    (folder / "unspool" / "xla").symlink_to(PROGRAMS)
    return folder


@pytest.fixture(autouse=True)
def _user_cache(cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("COLUMNS", "100")
    yield
    keep_programs()  # commands have settings of their own


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


@pytest.fixture(scope="session")
def train_here(cache):
    """Train in this process, where what is compiled and imported serves the next one too."""

    def train(*arguments):
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as told:
            patch.setenv("XDG_CACHE_HOME", str(cache))
            app(["train", *map(str, arguments)], standalone_mode=False)
        return told.getvalue()

    return train


@pytest.fixture(scope="session")
def tiny(train_here, tmp_path_factory):
    """A function that trains a run of a kind, once, beside its sources: read it only."""
    folder = tmp_path_factory.mktemp("kinds")
    write_sources(folder)

    def run(kind):
        path = folder / kind
        if not path.exists():
            words = [folder / word if "." in word else word for word in COMMANDS[kind]]
            train_here(*words, "--run", path)
        return path

    return run


@pytest.fixture(scope="session")
def kinds(tiny):
    """A folder of small sources and a finished run of every kind, with its name: read it only."""
    runs = [tiny(kind) for kind in COMMANDS]
    return runs[0].parent
