"""What all benchmarks share."""

import pytest
from benchmarks.common import run_directory, whole

from unspool.training import StopReport


def stop(reason):
    return StopReport(step=3, reason=reason, best_val_loss_nats=1.0, elapsed_s=1.0)


def test_a_training_that_a_signal_stopped_has_no_result():
    finished = stop("finished")
    assert list(whole([finished])) == [finished]
    with pytest.raises(SystemExit, match="stopped by SIGHUP: no result"):
        list(whole([stop("stopped by SIGHUP")]))


def test_a_run_is_kept_where_it_is_wanted(tmp_path):
    with run_directory(tmp_path / "runs" / "kept") as run:
        run.mkdir()
    assert (tmp_path / "runs" / "kept").is_dir()
    with run_directory(None) as run:
        run.mkdir()
    assert not run.exists()
