"""Is the time of a training step linear in its number of time steps?

Steps of one model over chunks of 25 to 1,600 time steps, in turn; medians of the rounds.
"""

import argparse

from unspool.bench import ours
from unspool.bench.contestants import synthetic_task
from unspool.bench.timing import in_turn, median, warm_up
from unspool.bench.workloads import Workload
from unspool.cells import CELLS

from .common import write_result

STEPS = (25, 50, 100, 200, 400, 800, 1600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", choices=tuple(CELLS), default="lstm")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for name in ("hidden", "batch", "rounds"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(arguments, name)}")
    runs = {}
    for steps in STEPS:
        workload = Workload(arguments.cell, 1, arguments.hidden, arguments.batch, steps)
        run = ours.training(workload.model(), synthetic_task(workload))
        runs[str(steps)] = run, warm_up(run, 0.2)
    seconds = in_turn(runs, arguments.rounds)
    for steps in STEPS:
        took = median(seconds[str(steps)])
        print(f"T {steps:5}  {1e3 * took:8.1f} ms  {1e6 * took / steps:6.1f} us a time step")
    write_result("scaling", {"model": vars(arguments), "step_s": seconds})


if __name__ == "__main__":
    main()
