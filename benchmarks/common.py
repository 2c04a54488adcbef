"""Read data and write results, for all benchmarks."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unspool.bench.origin import origin
from unspool.training import StopReport

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, answer: dict[str, Any]) -> None:
    """Write results/NAME.json: the answer, the command and where it was measured."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**answer, "origin": origin(_command())}, indent=1) + "\n")
    print(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def data_file(name: str) -> Path:
    """Return a file of the real data in the folder UNSPOOL_DATA."""
    root = os.environ.get("UNSPOOL_DATA")
    if root is None:
        sys.exit("set UNSPOOL_DATA to the folder that holds the data: see benchmarks/README.md")
    return Path(root) / name


@contextmanager
def run_directory(kept: Path | None) -> Iterator[Path]:
    """Yield the directory to train in: one that the user wants to keep, or a temporary one."""
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "run"


def whole(reports: Iterable[Any]) -> Iterator[Any]:
    """Yield the reports of a training; exit without a result if a signal stops it."""
    last = None
    for last in reports:
        yield last
    if isinstance(last, StopReport) and last.reason.startswith("stopped by"):
        sys.exit(f"{last.reason}: no result is written")


def unspool(*arguments: object) -> str:
    """Return what a command prints; its progress goes to our stderr."""
    command = [sys.executable, "-m", "unspool", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _command() -> str:
    return " ".join(["python -m benchmarks." + Path(sys.argv[0]).stem, *sys.argv[1:]])
