"""A real process, killed with SIGKILL again and again, ends where an undisturbed one does."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from test_resume import assert_same, outcome, saved_step
from tests.support import WARNINGS

# Importing takes a second: one process imports, and every training is a fork of it that
# starts JAX again.
PARENT = """
import io, os, sys, time, unspool
from pathlib import Path

class SlowDisk(io.FileIO):  # most kills come while it writes, many between the halves
    def write(self, data):
        half = super().write(data[:len(data) // 2])
        time.sleep(0.003)
        return half + super().write(data[half:])

unspool.files.open = SlowDisk

def language(source):
    text = unspool.Text.read(source)
    model = unspool.LanguageModel.create(
        text.vocab, cell="lstm", hidden_size=8, dropout=0.2, weight_drop=0.1
    )
    return model, unspool.LanguageTask(text, batch=4, steps_per_chunk=8, sample_tokens=5)

def classify(source):
    data = unspool.LabelledData.read(source, val_fraction=0.2)
    sizes = dict(embedding_size=8, hidden_size=8, dropout=0.2, dropout_tokens=0.1)
    model = unspool.Classifier.create(**data.model_options(), **sizes)
    return model, unspool.ClassifyTask(data, batch=4)

def train(kind, source, run, steps, save_minutes):
    model, task = {"language": language, "classify": classify}[kind](source)
    resume = Path(run, "config.json").exists()
    for report in unspool.train(
        model, task, run=run, resume=resume, max_steps=int(steps), eval_every=25, log_every=1,
        average=0.1, save_minutes=float(save_minutes),
    ):
        print(type(report).__name__, flush=True)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        train(*line.split())
        os._exit(0)
    print("pid", pid, flush=True)
    print("end", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Trainings:
    """Training processes, one after the other."""

    def __init__(self, kind, source):
        self.kind, self.source = kind, source
        self.parent = subprocess.Popen(
            [sys.executable, *WARNINGS, "-c", PARENT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self, run, steps, save_minutes):
        """Start one and return its process id."""
        print(self.kind, self.source, run, steps, save_minutes, file=self.parent.stdin, flush=True)
        return int(self.wait_for("pid"))

    def wait_for(self, word):
        """Skip output up to a line that begins with `word`; return the rest of it."""
        for line in self.parent.stdout:
            if line.startswith(word):
                return line.removeprefix(word)
            assert not line.startswith("end"), "a training failed, or ended: then give more steps"
        raise AssertionError(f"no {word}")


def kill_and_resume(kind, source, folder, kills, steps, seed):
    """Kill a training process `kills` times, let it finish, compare with one left in peace."""
    reference, run, randoms, saved = folder / "reference", folder / "run", random.Random(seed), {0}
    trainings = Trainings(kind, source)
    with trainings.parent:
        trainings.start(reference, steps, save_minutes=1e6)
        assert int(trainings.wait_for("end")) == 0
        for _ in range(kills):
            pid = trainings.start(run, steps, save_minutes=0)
            if randoms.random() < 0.85:
                for _ in range(randoms.randint(1, 20)):
                    trainings.wait_for("StepReport")
                time.sleep(randoms.uniform(0, 0.03))
            else:  # anywhere, while it starts and reads, too
                time.sleep(randoms.uniform(0, 1))
            os.kill(pid, signal.SIGKILL)
            assert int(trainings.wait_for("end")) == -signal.SIGKILL
            saved.add(saved_step(run) if (run / "config.json").exists() else 0)
        assert len(saved) > kills / 2  # most kills hit a run that had made progress
        trainings.start(run, steps, save_minutes=1e6)
        assert int(trainings.wait_for("end")) == 0
    assert not list(run.glob(".*.tmp"))
    assert_same(run, outcome(reference))


def test_twenty_kills(verse, tmp_path):
    kill_and_resume("language", verse, tmp_path, kills=20, steps=700, seed=time.time())


def test_five_kills_of_a_classifier(tmp_path):
    source = tmp_path / "labelled.txt"
    source.write_text("x the thread goes out\ny the wheel goes round\nx in\ny un spun\n" * 9)
    kill_and_resume("classify", source, tmp_path, kills=5, steps=250, seed=time.time())


@pytest.mark.soak
def test_two_hundred_kills(verse, tmp_path):
    kill_and_resume("language", verse, tmp_path, kills=200, steps=6000, seed=time.time())
