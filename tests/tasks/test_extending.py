"""The cell and the task of docs/extending.md, built as written there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
MAIN = """\
from unspool.tasks.registry import KINDS, Kind
from parity.model import ParityModel
from parity.recipe import ParityRecipe, ParityRun

{row}
row = ROWS[-1]
KINDS[row.model.kind] = row
from unspool.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the document, and one that puts the row into the table."""
    folder = tmp_path_factory.mktemp("extending")
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    files = [block for block in blocks if block.startswith("# tasks/parity/")]
    assert len(files) == 3
    (folder / "parity").mkdir()
    for block in files:
        name = block.splitlines()[0].removeprefix("# tasks/")
        (folder / name).write_text(block)
    (row,) = (block for block in blocks if block.startswith("ROWS = "))
    (folder / "main.py").write_text(MAIN.format(row=row))
    for name, seed in (("bits.txt", 0), ("more.txt", 1)):
        bits = np.random.default_rng(seed).integers(0, 2, (300, 8))
        (folder / name).write_text("".join("".join(map(str, row)) + "\n" for row in bits))
    return folder


def run(folder, *words):
    command = [sys.executable, "main.py", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_the_task_trains_resumes_and_evaluates(folder):
    code, out, error = run(
        folder, "train", "parity", "bits.txt", "--run", "r", "--max-steps", "300"
    )
    assert code == 0, error
    assert "unspool eval r" in out
    code, out, error = run(
        folder, "train", "parity", "--run", "r", "--resume", "--max-steps", "500"
    )
    assert code == 0, error
    code, out, error = run(folder, "eval", "r", "more.txt", "--json")
    assert code == 0, error
    assert json.loads(out)["accuracy"] > 0.9
    code, out, error = run(folder, "info", "r")
    assert code == 0, error
    assert "parity" in out


@pytest.mark.slow
def test_the_cell_trains_writes_resumes_and_is_inspected(tmp_path):
    """From the current folder, in which a file beside it does not stand in for a library."""
    document = DOCUMENT.read_text("utf-8")
    (cell,) = re.findall(r"```python\n(# leaky\.py\n.*?)```", document, re.DOTALL)
    commands = re.findall(r"^    (unspool .*leaky:LeakyCell.*)$", document, re.MULTILINE)
    assert len(commands) == 4
    (tmp_path / "leaky.py").write_text(cell)
    (tmp_path / "optax.py").write_text("raise SystemExit('the wrong optax')\n")
    (tmp_path / "story.txt").write_text("The heron waits near the mill, one two three.\n" * 60)
    for line in commands:
        words = shlex.split(
            line.replace("--max-steps 300", "--max-steps 300 --hidden 32 --batch 4")
        )
        command = [sys.executable, "-P", "-m", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr) == (0, ""), line
    config = json.loads((tmp_path / "runs" / "leaky" / "config.json").read_text())
    assert config["model"]["cell"] == "leaky:LeakyCell"


def test_its_errors_are_one_line(folder):
    (folder / "bad.txt").write_text("012\n")
    code, _, error = run(folder, "train", "parity", "bad.txt", "--run", "bad")
    assert code == 2
    assert error.count("\n") == 1
    assert "lines of 0 and 1" in error
    assert not (folder / "bad").exists()
