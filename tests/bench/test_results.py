"""The kept results are of this history."""

import subprocess

import pytest
from benchmarks.common import RESULTS
from benchmarks.figures import result
from benchmarks.tables import ROOT

FIRST = "7b9c151"
NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))


def git(*words):
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)


def has_history():
    """Whether this is a clone that goes back to the first commit."""
    return (ROOT / ".git").exists() and git(
        "merge-base", "--is-ancestor", FIRST, "HEAD"
    ).returncode == 0


# Measured before their commits were in this history, or with code in no commit. The test fails for
# one that is measured again and still stands here.
DUE = {
    "caption-attention", "cells", "studio_views",
}  # fmt: skip


def is_current(name):
    """Whether a result is of committed code in this history; older ones do not tell the first."""
    origin = result(name)["origin"]
    found = git("merge-base", "--is-ancestor", origin["commit"], "HEAD")
    return found.returncode == 0 and not origin.get("modified", False)


@pytest.mark.skipif(not has_history(), reason="no clone with its whole history")
@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_of_a_commit_of_this_history(name):
    assert is_current(name) == (name not in DUE), f"measure {name} again, or it is no longer due"
