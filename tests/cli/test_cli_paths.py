"""Names of files as people write them: ~, TOML files with a byte order mark, nothing at all."""

import codecs
import os

import pytest

TINY = ["--hidden", "4", "--batch", "4", "--max-steps", "2", "--eval-every", "2",
        "--steps-per-chunk", "8", "--sample-tokens", "0"]  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch, verse):
    """A home with a text, and another folder that is the current one."""
    folder = tmp_path / "home"
    folder.mkdir()
    (tmp_path / "here").mkdir()
    (folder / "verse.txt").write_bytes(verse.read_bytes())
    (folder / "held.txt").write_bytes(verse.read_bytes()[:400])
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_home_in_flags_and_arguments(unspool, home):
    words = ["train", "text", "~/verse.txt", "--run=~/runs/a", "--val=~/held.txt", *TINY]
    done = unspool(*words)
    assert done.code == 0, done.err
    assert (home / "runs" / "a" / "config.json").exists()
    assert unspool(*words, "--resume", "--max-steps", 3).code == 0
    for line in ("sample ~/runs/a --max-new-tokens 3", "eval ~/runs/a ~/held.txt", "info ~/runs/a",
                 "inspect ~/runs/a ~/held.txt --html=~/page.html",
                 "gradients ~/held.txt --run=~/runs/a --steps 4 --html=~/flow.html"):  # fmt: skip
        done = unspool(*line.split())
        assert done.code == 0, done.err
    assert (home / "page.html").exists()
    assert (home / "flow.html").exists()
    assert not os.listdir()


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_home_in_a_toml_file_with_and_without_a_mark(unspool, home, mark):
    lines = 'run = "~/runs/b"\npaths = ["~/verse.txt"]\nval = "~/held.txt"\n'
    (home / "c.toml").write_bytes(mark + lines.encode())
    done = unspool("train", "text", "--config=~/c.toml", *TINY)
    assert done.code == 0, done.err
    assert f"the run is in {home / 'runs' / 'b'}" in done.out
    assert not os.listdir()


@pytest.mark.parametrize(
    ("line", "told"),
    [('run = ""', "run must name a file or folder"), ('paths = [""]', "paths must name a file"),
     ('val = ""', "val must name a file or folder"), ('run = "a\\u0000b"', "a NUL character"),
     ("hidden = 0", "hidden must be at least 1"), ("learning_rate = nan", "must be finite"),
     ("val = 3", "val must be of type str")],
)  # fmt: skip
def test_a_mistake_in_a_toml_file_names_it(unspool, home, line, told):
    (home / "c.toml").write_text(line)
    done = unspool("train", "text", home / "verse.txt", "--config=~/c.toml", "--run", "r")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{home / 'c.toml'}: " in done.err
    assert told in done.err
    assert not os.listdir()


def test_a_flag_wins_over_a_mistake_in_a_toml_file(unspool, home):
    (home / "c.toml").write_text("hidden = 0\nmax_steps = 0")
    done = unspool("train", "text", home / "verse.txt", "--config=~/c.toml", "--run", "r", *TINY)
    assert done.code == 0, done.err


def test_a_page_never_replaces_a_device(unspool, trained, tmp_path):
    link = tmp_path / "out.html"
    link.symlink_to("/dev/null")
    done = unspool("inspect", trained, "--html", link)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "is a folder, pipe or device" in done.err
    assert link.is_symlink()
