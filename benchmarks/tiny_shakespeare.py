"""Split tiny Shakespeare into parts, and keep clocks with and without evaluations, for all models.

The first 90 % of the characters are for training, the next 5 % (development) choose weights and
show when a goal is reached, the last 5 % (test) only measure the chosen weights. "whole" is
development and test together, which others call the validation set.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from unspool.training import StartReport, StepReport

from .common import data_file

GOALS_NATS = (1.886, 1.60, 1.50)
EVALUATED = ("development", "test", "whole")


def parts() -> dict[str, str]:
    """Return the text of each part."""
    text = data_file("tiny-shakespeare.txt").read_text()
    cut, middle = int(0.9 * len(text)), int(0.95 * len(text))
    return {
        "train": text[:cut],
        "development": text[cut:middle],
        "test": text[middle:],
        "whole": text[cut:],
    }


def write_parts(folder: Path) -> dict[str, str]:
    """Write a file of each part."""
    paths = {name: folder / f"{name}.txt" for name in ("train", *EVALUATED)}
    for name, text in parts().items():
        paths[name].write_text(text)
    return {name: str(path) for name, path in paths.items()}


def clocked(reports: Iterable[Any]) -> Iterator[tuple[Any, float, float]]:
    """Yield each report with the wall clock since the call, and the seconds of it spent training:
    without evaluating, sampling and saving.
    """
    start = began = time.perf_counter()
    trained = 0.0
    for report in reports:
        now = time.perf_counter()
        if isinstance(report, StartReport | StepReport):
            trained += now - began
        yield report, now - start, trained
        began = time.perf_counter()


def seconds_to(curve: list[dict[str, float]]) -> dict[str, dict[str, float] | None]:
    """Return, by goal, both clocks at the first evaluation that reached it."""
    return {str(goal): _first(curve, goal) for goal in GOALS_NATS}


def _first(curve: list[dict[str, float]], goal: float) -> dict[str, float] | None:
    reached = (point for point in curve if point["development_nats"] <= goal)
    return next(({clock: p[clock] for clock in ("wall_s", "train_s")} for p in reached), None)


def point(step: int, wall_s: float, train_s: float, nats: float) -> dict[str, float]:
    """Print a point of the curve and return it."""
    found = {
        "step": step,
        "wall_s": round(wall_s, 2),
        "train_s": round(train_s, 2),
        "development_nats": nats,
    }
    print(found, flush=True)
    return found


def best(curve: list[dict[str, float]]) -> dict[str, float]:
    """Return the point of lowest loss on the development part, the first of equals."""
    return min(curve, key=lambda point: point["development_nats"])
