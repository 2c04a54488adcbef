"""Training on a text larger than memory ought to allow: resident memory stays flat."""

import subprocess
import sys

import pytest

CHILD = """
import sys
from pathlib import Path
from unspool.recipes.text import merge_options, train_text
from unspool.training import StepReport

def resident_mib(kind):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(l for l in lines if l.startswith(kind)).split()[1]) / 1024

options = merge_options(dict(hidden=16, batch=64, steps_per_chunk=64, max_steps=2000,
    eval_every=10**9, val_fraction=1e-5, sample_tokens=0))
for report in train_text((sys.argv[1],), Path(sys.argv[2]), options):
    if isinstance(report, StepReport) and report.step in (200, 2000):
        print(resident_mib("VmRSS"), resident_mib("VmHWM"))
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_on_200_megabytes(tmp_path):
    peaks = {}
    for megabytes in (2, 200):
        source = tmp_path / f"{megabytes}.txt"
        with open(source, "w") as file:
            for start in range(0, megabytes * 25_000, 1000):
                file.writelines(
                    f"line {n} of a long text, {n * 7919 % 10007}\n"
                    for n in range(start, start + 1000)
                )
        assert source.stat().st_size > megabytes * 0.8e6
        command = [sys.executable, "-c", CHILD, str(source), str(tmp_path / f"run-{megabytes}")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        early, late = (tuple(map(float, line.split())) for line in done.stdout.splitlines())
        assert late[0] < early[0] + 30
        peaks[megabytes] = late[1]
    print(f"peak resident MiB by megabytes of text: {peaks}")
    assert peaks[200] < peaks[2] + 60
