"""Do memory and the time of a step stay flat while training on a large text?

Writes a synthetic text, trains on it in a separate process, and samples the resident memory of that
process: after its first steps, and at its end. Preparing (vocabulary and ids) is timed until then,
steps afterwards.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from .common import write_result

CHILD = """
import sys, resource, time
began = time.perf_counter()
from pathlib import Path
from unspool.tasks.text.recipe import merge_options, train_text
from unspool.training import StepReport

def resident_mib():
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(l for l in lines if l.startswith('RssAnon')).split()[1]) / 1024

options = merge_options(dict(hidden=64, max_steps=int(sys.argv[3]), eval_every=10**9,
                             val_fraction=1e-5, sample_tokens=0))
for report in train_text((sys.argv[1],), Path(sys.argv[2]), options):
    if isinstance(report, StepReport) and report.step in (20, int(sys.argv[3])):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(time.perf_counter() - began, resident_mib(), peak, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[2, 20, 200])
    parser.add_argument("--steps", type=int, default=2000)
    arguments = parser.parse_args()
    answer = {"unit": "MiB", "steps": arguments.steps, "texts": []}
    for megabytes in arguments.megabytes:
        answer["texts"].append({"text_mb": megabytes, **measure(megabytes, arguments.steps)})
        print(answer["texts"][-1], flush=True)
    write_result("memory", answer)


def measure(megabytes: int, steps: int) -> dict[str, float]:
    """Return anonymous resident memory after 20 steps and at the end, its peak, and times."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "text.txt"
        write_text(source, megabytes * 10**6)
        command = [sys.executable, "-c", CHILD, str(source), str(Path(folder) / "run"), str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        (first, early, _), (last, late, peak) = (
            map(float, line.split()) for line in done.stdout.splitlines()
        )
    return {
        "after_20_steps": early,
        "at_the_end": late,
        "peak_with_file_pages": peak,
        "seconds_to_step_20": first,
        "ms_per_step": 1e3 * (last - first) / (steps - 20),
    }


def write_text(path: Path, size: int) -> None:
    """Write lines of numbered words, so that no two blocks are the same."""
    with open(path, "w") as file:
        written = number = 0
        while written < size:
            written += file.write(
                f"line {number} of a long text, and {number * 7919 % 10007} more\n"
            )
            number += 1


if __name__ == "__main__":
    main()
