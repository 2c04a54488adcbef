"""Two processes start on one run directory: one has it, and its run is as if it had been alone."""

import json
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from tests.support import WARNINGS

import unspool
from unspool.tasks.text.recipe import TEXT

TINY = {
    "hidden": 4, "batch": 2, "steps_per_chunk": 4, "max_steps": 8, "eval_every": 4,
    "sample_tokens": 3,
}  # fmt: skip
# One process imports; every start is a fork of it, which sets up JAX again.
PARENT = f"""
import os, signal, sys, time
from pathlib import Path
from unspool.errors import RunError
from unspool.tasks.text.recipe import TEXT

def start(source, run, delay):
    time.sleep(float(delay))
    try:
        list(TEXT.start((source,), Path(run), TEXT.merge((), {TINY})))
    except RunError as error:
        print(error, file=sys.stderr, flush=True)
        return 2
    return 0

def begin(*arguments):
    pid = os.fork()
    if pid == 0:
        os._exit(start(*arguments))
    return pid

print("ready", flush=True)
for line in sys.stdin:
    run, one, other, delay, delay_of_other, kill_after = line.split()
    pids = begin(one, run, delay), begin(other, run, delay_of_other)
    if kill_after != "never":
        time.sleep(float(kill_after))
        os.kill(pids[0], signal.SIGKILL)  # not waited for yet, so the number is still its own
    print(*(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids), flush=True)
"""


class Starts:
    """A process that starts pairs of trainings."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, *WARNINGS, "-c", PARENT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def pair(self, run, sources, delays, kill_after=None):
        """The exit codes of two starts, the first of which may be killed."""
        killed = "never" if kill_after is None else kill_after
        print(run, *sources, *delays, killed, file=self.process.stdin, flush=True)
        return [int(code) for code in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()


@pytest.fixture(scope="module")
def starts():
    started = Starts()
    yield started
    started.close()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    texts = {"a.txt": "the grey heron waits near the mill.\n", "b.txt": "a blue kettle sings!\n"}
    for name, line in texts.items():
        (folder / name).write_text(line * 20)
    return [folder / name for name in texts]


@pytest.fixture(scope="module")
def alone(sources, tmp_path_factory):
    """What each source gives alone."""
    runs = [tmp_path_factory.mktemp("alone") / source.stem for source in sources]
    for source, run in zip(sources, runs, strict=True):
        list(TEXT.start((str(source),), run, TEXT.merge((), TINY)))
    return [contents(run) for run in runs]


def contents(run):
    """All that a run has, but for times."""
    found = {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file()}
    for name in ("model.safetensors", "train-state.safetensors"):
        found[name] = safetensors.numpy.load(found[name])
    records = map(json.loads, found["metrics.jsonl"].splitlines())
    found["metrics.jsonl"] = [record.get("loss_nats") for record in records]
    return found


def check(run, reference):
    """The run is that of a reference; it can be evaluated and resumed."""
    found = contents(run)
    assert found.keys() == reference.keys()
    for name, part in reference.items():
        if isinstance(part, dict):
            assert all(np.array_equal(found[name][key], part[key]) for key in part), name
        else:
            assert found[name] == part, name
    loaded = unspool.load(run)
    assert loaded.evaluate().loss_nats == pytest.approx(loaded.val_loss_nats, rel=1e-6)
    _, reports = TEXT.resume((), run, {"max_steps": 9})
    assert list(reports)[-1].step == 9


def check_pair(codes, run, alone):
    assert sorted(codes) == [0, 2]
    check(run, alone[codes.index(0)])


@pytest.mark.parametrize("delays", [(0, 0), (0, 0.2), (0.05, 0)])
def test_one_of_two_starts_has_the_run(starts, sources, alone, tmp_path, delays):
    check_pair(starts.pair(tmp_path / "run", sources, delays), tmp_path / "run", alone)


def test_a_start_after_a_killed_one_has_the_run(starts, sources, alone, tmp_path):
    run = tmp_path / "run"
    codes = starts.pair(run, sources, (0, 1.0), kill_after=0.05)  # long before its run is there
    assert codes == [-signal.SIGKILL, 0]
    check(run, alone[1])


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_two_starts_at_any_offset(starts, sources, alone, tmp_path, seed):
    draw, run = random.Random(seed), tmp_path / "runs" / "run"
    delays = [draw.choice((0, draw.uniform(0, 0.01), draw.uniform(0, 1))) for _ in sources]
    check_pair(starts.pair(run, sources, delays), run, alone)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_two_starts_of_which_one_is_killed(starts, sources, alone, tmp_path, seed):
    """Whoever is left has the run, or is refused by what the other was killed in; nothing that
    can be read is anything but one of the two.
    """
    draw, run = random.Random(seed), tmp_path / "run"
    delays = [draw.uniform(0, 0.5), draw.uniform(0, 1.5)]
    killed, left = starts.pair(run, sources, delays, kill_after=draw.uniform(0, 1.5))
    assert (killed, left) in {(-9, 0), (-9, 2), (0, 2), (2, 0)}
    if left == 0:
        check(run, alone[1])
    elif (run / "config.json").exists():
        _, reports = TEXT.resume((), run, {})
        assert list(reports)[-1].step == TINY["max_steps"]
        assert unspool.load(run).config["task"]["sources"] == [str(sources[0])]
    else:
        list(TEXT.start((str(sources[0]),), run, TEXT.merge((), TINY)))
        check(run, alone[0])
