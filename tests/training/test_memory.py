"""Training on a long text takes no more memory than training on a short one."""

import subprocess
import sys

import pytest

CHILD = """
import sys
from pathlib import Path
from unspool.tasks.text.recipe import merge_options, train_text
from unspool.training import StepReport

def resident_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return [int(l.split()[1]) // 1024 for l in lines if l.startswith(("VmRSS", "RssAnon"))]

options = merge_options(dict(cell="rnn", hidden=4, batch=64, steps_per_chunk=2048, max_steps=800,
    eval_every=10**9, val_fraction=1e-5, sample_tokens=0))
sizes = []
for report in train_text((sys.argv[1],), Path(sys.argv[2]), options):
    if isinstance(report, StepReport):
        sizes.append(resident_mib())
for part in (sizes[100:200], sizes[-100:]):  # the least of many: temporary arrays come and go
    print(*map(min, zip(*part)))
"""


def write_text(path, megabytes):
    with open(path, "w") as file:
        for first in range(0, megabytes * 30_000, 1000):
            numbers = range(first, first + 1000)
            file.writelines(f"line {n} of a long text, {n * 7919 % 10007}\n" for n in numbers)
    assert path.stat().st_size > megabytes * 0.9e6


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_on_200_megabytes(tmp_path):
    """In MiB: all resident memory over time, and its private part for both texts.

    The rest is pages of the mapped file, up to 1 MiB a lane, which are given back.
    """
    private = {}
    for megabytes in (2, 200):
        source = tmp_path / f"{megabytes}.txt"
        write_text(source, megabytes)
        command = [sys.executable, "-c", CHILD, str(source), str(tmp_path / f"run-{megabytes}")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        early, late = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
        print(f"{megabytes} MB of text: resident and private MiB, early {early}, late {late}")
        assert late[0] < early[0] + 30
        private[megabytes] = late[1]
    assert private[200] < private[2] + 30
