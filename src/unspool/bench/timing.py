"""Fair timing on a busy machine: contestants in turn, medians of rounds."""

import statistics
import time
from collections.abc import Callable, Mapping

Run = Callable[[int], object]  # do this many units of work, and wait until they are done

REST_S = 0.02  # lets idle threads of the previous one stop spinning


def seconds(run: Run, units: int) -> float:
    """Measure the seconds for one unit of work."""
    began = time.perf_counter()
    run(units)
    return (time.perf_counter() - began) / units


def warm_up(run: Run, target_s: float) -> int:
    """Compile and warm up; return how many units take about `target_s`."""
    run(1)
    units = 1
    while (took := seconds(run, units) * units) < target_s / 2:
        units *= 2
    return max(1, round(units * target_s / took))


def in_turn(runs: Mapping[str, tuple[Run, int]], rounds: int) -> dict[str, list[float]]:
    """Measure seconds per unit in rounds, in each of which every contestant runs once."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (run, units) in runs.items():
            time.sleep(REST_S)
            times[name].append(seconds(run, units))
    return times


def median(times: list[float]) -> float:
    return statistics.median(times)
