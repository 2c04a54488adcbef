"""The run directory: whose it is, what it may overwrite, and full disks."""

import errno
import os
from itertools import count

import pytest
from test_resume import OPTIONS, assert_same, make, outcome

import unspool
from unspool import RunError, UnspoolError
from unspool.training import directory
from unspool.training.directory import check_free, locked

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
    (tmp_path / "old").mkdir()
    for name in (".model.safetensors.123.tmp", "notes.tmp"):
        (tmp_path / "old" / name).write_text("half")
    with locked(tmp_path / "old"):
        pass
    assert (tmp_path / "old" / "notes.tmp").exists()
    assert not (tmp_path / "old" / ".model.safetensors.123.tmp").exists()


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
