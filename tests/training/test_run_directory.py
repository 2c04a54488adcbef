"""The run directory: whose it is, what it may overwrite, and full disks."""

import errno
import os
from itertools import count

import pytest
from test_resume import OPTIONS, assert_same, make, outcome

import unspool
from unspool import RunError, UnspoolError
from unspool.training import directory, starting
from unspool.training.starting import check_free, locked

SHORT = {**OPTIONS, "max_steps": 6, "eval_every": 3}


def test_a_directory_in_use_is_refused(text, tmp_path):
    run = tmp_path / "run"
    reports = unspool.train(*make(text), run=run, **SHORT)
    next(reports)
    with pytest.raises(RunError, match="in use by another training process"):
        next(unspool.train(*make(text), run=run, resume=True, **SHORT))
    with pytest.raises(RunError, match="already holds a run"):
        unspool.train(*make(text), run=run, **SHORT)
    reports.close()
    list(unspool.train(*make(text), run=run, resume=True, **SHORT))


def test_a_start_that_was_interrupted_can_be_repeated(text, tmp_path, monkeypatch):
    """Until config.json is there, the directory is no run; from then on it can be resumed."""
    run, reference = tmp_path / "run", tmp_path / "reference"
    list(unspool.train(*make(text), run=reference, **SHORT))
    with monkeypatch.context() as patch:
        patch.setattr(directory, "write_config", lambda *_: (_ for _ in ()).throw(SystemError))
        with pytest.raises(SystemError):
            list(unspool.train(*make(text), run=run, **SHORT))
    reports = unspool.train(*make(text), run=run, **SHORT)
    next(reports)
    reports.close()
    list(unspool.train(*make(text), run=run, resume=True, **SHORT))
    assert_same(run, outcome(reference))


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.txt", "vocab.json"])
def test_files_of_the_users_own_are_not_overwritten(text, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(RunError, match=f"{name} is in the way"):
        unspool.train(*make(text), run=tmp_path, **SHORT)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="is a file"):
        check_free(tmp_path / "file")


def test_the_lock_tidies_up(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "new"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()


MINE = [
    ".draft.tmp", "notes.tmp", ".model.safetensors.tmp", ".mine.txt.12.0123abcd.tmp",
    ".model.safetensors.12.0123abcd.tmp.bak", ".starting.notes",
]  # fmt: skip


def test_only_the_programs_own_half_files_are_removed(text, tmp_path):
    """Of the names of a run's files, and only in a run."""
    own, notes = ".model.safetensors.12.0123abcd.tmp", tmp_path / "notes"
    notes.mkdir()
    for name in (*MINE, own):
        (tmp_path / name).write_text("half")
        (notes / name).write_text("half")
    with locked(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {*MINE, own, "notes"}
    list(unspool.train(*make(text), run=tmp_path, **SHORT))
    list(unspool.train(*make(text), run=tmp_path, resume=True, **SHORT))
    assert all((tmp_path / name).read_text() == "half" for name in MINE)
    assert not (tmp_path / own).exists()
    assert {path.name for path in notes.iterdir()} == {*MINE, own}


def test_a_start_that_failed_leaves_no_lock_behind_which_a_later_one_would_trust(text, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / directory.LOCK).touch()
    (tmp_path / "samples.txt").write_text("samples I kept")
    with pytest.raises(RunError, match=r"samples\.txt is in the way"):
        unspool.train(*make(text), run=tmp_path, **SHORT)
    assert (tmp_path / "samples.txt").read_text() == "samples I kept"


@pytest.mark.parametrize("published", [0, 1, 3, 100])
def test_a_start_killed_while_it_publishes_is_undone_and_nothing_else(text, tmp_path, published):
    """The files that it left are known by their inodes, not by their names."""
    run = tmp_path / "run"
    with locked(run):
        begun = starting.Beginning(run)
        begun.folder.mkdir()
        for name in ("vocab.json", "data/train.bin", "model.safetensors", "metrics.jsonl"):
            (begun.folder / name).parent.mkdir(exist_ok=True)
            (begun.folder / name).write_text("begun")
        names = starting._relative_files(begun.folder)[:published]
        for name in names:
            (run / name).parent.mkdir(exist_ok=True)
            os.link(begun.folder / name, run / name)
    (run / "samples.txt").write_text("mine")
    with pytest.raises(RunError, match=r"samples\.txt is in the way"):
        list(unspool.train(*make(text), run=run, **SHORT))
    (run / "samples.txt").unlink()
    list(unspool.train(*make(text), run=run, **SHORT))
    assert not [path for path in run.iterdir() if path.name.startswith(".starting")]


def test_a_file_beside_an_unfinished_start_stays(tmp_path):
    run = tmp_path / "run"
    with locked(run):
        begun = starting.Beginning(run)
        begun.folder.mkdir()
        (begun.folder / "samples.txt").write_text("begun")
    (run / "samples.txt").write_text("mine")
    with locked(run):
        pass
    assert (run / "samples.txt").read_text() == "mine"
    assert not begun.folder.exists()


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.txt"])
def test_a_journal_that_was_deleted_begins_again_with_a_note(text, tmp_path, name):
    list(unspool.train(*make(text), run=tmp_path, **SHORT | {"max_steps": 3}))
    (tmp_path / name).unlink()
    first = next(unspool.train(*make(text), run=tmp_path, resume=True, **SHORT))
    assert f"{name} is missing: it starts again here" in first.notes
    assert (tmp_path / name).exists()


def test_a_disk_that_is_full_at_any_write_loses_nothing(tiny, tmp_path, monkeypatch):
    """The n-th fsync fails, for every n: one clear error, and the run ends as it should."""
    options = {"max_steps": 1}
    list(unspool.train(*tiny(), run=tmp_path / "reference", **options))
    reference, fsync = outcome(tmp_path / "reference"), os.fsync
    for failing in count(1):
        calls, run = count(1), tmp_path / f"run-{failing}"

        def full(descriptor, calls=calls, failing=failing):
            if next(calls) == failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            try:
                list(unspool.train(*tiny(), run=run, **options))
                break
            except UnspoolError as error:
                message = str(error)
        assert message.startswith("no space left to write ")
        assert not list(run.glob(".*.tmp"))
        resume = (run / "config.json").exists()
        list(unspool.train(*tiny(), run=run, resume=resume, **options))
        assert_same(run, reference)
    assert failing > 10


def test_a_directory_that_cannot_be_written(text, tmp_path):
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(UnspoolError, match=r"cannot write .*closed"):
        list(unspool.train(*make(text), run=tmp_path / "closed" / "run", **SHORT))
