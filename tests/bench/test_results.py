"""The kept results are of this history."""

import subprocess

import pytest
from benchmarks.common import RESULTS
from benchmarks.figures import result
from benchmarks.tables import ROOT

NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))


def git(*words):
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)


def has_history():
    found = git("rev-parse", "--is-shallow-repository") if (ROOT / ".git").exists() else None
    return found is not None and found.stdout.strip() == "false"


@pytest.mark.skipif(not has_history(), reason="no clone with its whole history")
@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_of_a_commit_of_this_history(name):
    commit = result(name)["origin"]["commit"]
    found = git("merge-base", "--is-ancestor", commit, "HEAD")
    assert found.returncode == 0, f"{commit} is no ancestor: measure {name} again"


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_of_committed_code(name):
    """Older results do not tell."""
    assert not result(name)["origin"].get("modified", False), f"measure {name} again"
