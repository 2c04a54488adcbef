"""How long until `unspool sample` prints its first character, cold and warm?

Cold: no compiled programs in the user's cache. Warm: they are there from an earlier start.
Each start is a new process; the figure is the time from its start to its first output.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .common import write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run directory")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    cold, warm = [], []
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(first_output_s(arguments.run, cache))
            warm.append(first_output_s(arguments.run, cache))
    answer = {
        "cold_s": statistics.median(cold),
        "warm_s": statistics.median(warm),
        "all_cold_s": cold,
        "all_warm_s": warm,
    }
    print(answer)
    write_result("start_up", answer)


def first_output_s(run: str, cache: str) -> float:
    """Return the seconds until the first character; the prompt is empty, so it is the model's."""
    command = [sys.executable, "-m", "unspool", "sample", run, "--max-new-tokens", "100"]
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "XDG_CACHE_HOME": str(Path(cache))}
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        took = time.perf_counter() - began
        process.stdout.read()
    return took


if __name__ == "__main__":
    main()
