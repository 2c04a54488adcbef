"""Where a result comes from, and where it goes."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from unspool.bench.origin import origin

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, answer: dict[str, Any]) -> None:
    """Write results/NAME.json: the answer, the command and where it was measured."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**answer, "origin": origin(_command())}, indent=1) + "\n")
    print(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def data_file(name: str) -> Path:
    """A file of the real data that UNSPOOL_DATA points to."""
    root = os.environ.get("UNSPOOL_DATA")
    if root is None:
        sys.exit("set UNSPOOL_DATA to the folder that holds the data: see benchmarks/README.md")
    return Path(root) / name


def _command() -> str:
    return " ".join(["python -m benchmarks." + Path(sys.argv[0]).stem, *sys.argv[1:]])
