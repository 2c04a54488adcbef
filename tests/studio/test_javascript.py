"""The page's sums and layouts, which need no browser: `node --test`."""

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = sorted((Path(__file__).parent / "js").glob("*.test.js"))
OLDEST = (20, 19)  # takes files without a package.json for modules


@pytest.fixture(scope="module")
def node():
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, said.strip("v\n").split(".")[:2])) < OLDEST:
        pytest.skip(f"node {said.strip()} is too old: needs 20.19")
    return found


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_sums_and_layouts(node, path):
    command = [node, "--no-warnings", "--test", "--test-reporter=tap", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# pass 0\n" not in done.stdout
