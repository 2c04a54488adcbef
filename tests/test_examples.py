"""The examples run, print what they promise, and stay short."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
RUNS = {
    "carry_state.py": ([], ["split equals whole: True", "two futures of one past differ: True"]),
    "describe_pictures.py": (
        [],
        ["step 300: held-out loss", " is described as ", "END looks at row "],
    ),
    "encoder_decoder.py": ([], ["step 300: held-out loss", "5 1 2 -> two one five (score "]),
    "find_cells.py": ([], ["\nquotes: unit ", ", AUC 0.9", "after a quotation mark: ['"]),
    "glimpses.py": ([], ["step 300: accuracy ", "looked at (y, x):\n", "rendered: "]),
    "many_to_many.py": ([], ["step 60: accuracy ", "the/DET frog/NOUN "]),
    "many_to_one.py": ([], ["step 60: accuracy ", "{'good': ", "{'bad': "]),
    "one_to_many.py": ([], ["step 200: held-out loss", "\nGerman ", "\nItalian "]),
    "one_to_one.py": ([], ["step 300: accuracy ", "[0.1, 0.2] {'inside': "]),
    "own_cell.py": ([], ["step 300: held-out loss", "\none "]),
    "train_and_sample.py": (["{text}", "0.03"], ["held-out loss", "The "]),
}


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == RUNS.keys()


@pytest.mark.parametrize("name", RUNS)
def test_an_example_runs(name, tmp_path):
    arguments, expected = RUNS[name]
    (tmp_path / "text.txt").write_text("The thread goes out, the thread comes in.\n" * 100)
    filled = [argument.format(text=tmp_path / "text.txt") for argument in arguments]
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *filled]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(words in done.stdout for words in expected), done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize("name", RUNS)
def test_an_example_is_short(name):
    assert len((EXAMPLES / name).read_text().splitlines()) < 60
