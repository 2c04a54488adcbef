"""The command as a process: readers that go away, closed streams, signals."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from tests.support import slow

START = (
    "from unspool.cli.main import main; import sys; sys.argv = ['unspool', *sys.argv[1:]]; main()"
)


def last_step(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return max(json.loads(line).get("step", 0) for line in lines)


@pytest.fixture
def shell(cache, tmp_path, monkeypatch):
    """Run a line of bash with $U for `unspool`; its output, errors and exit code."""
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "U": f"{sys.executable} -m unspool"}

    def run(line, **options):
        command = ["bash", "-o", "pipefail", "-c", line]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, **options
        )

    return run


@pytest.fixture
def training(verse, small):
    """The words of a training whose end is seen by its last step."""
    return " ".join(map(str, ["$U train text", verse, "--run r", *small, "--max-steps 60"]))


@pytest.mark.parametrize(
    "line",
    ["{} | head -1", *slow("{} 2>&1 | true", "{} >/dev/full", "{} >&-", "{} >&- 2>&- <&-")],
)
def test_a_training_that_nobody_listens_to_trains_to_its_end(shell, training, tmp_path, line):
    done = shell(line.format(training))
    assert done.returncode == 0, done.stderr
    assert last_step(tmp_path / "r") == 60
    assert "Traceback" not in done.stderr
    if line in ("{} | head -1", "{} >/dev/full"):
        (told,) = done.stderr.splitlines()
        assert told.startswith("note: the output cannot be written (")


@pytest.mark.slow
def test_a_demo_goes_on_too(shell, tmp_path):
    done = shell("$U demo --minutes 0.05 --run r | head -1")
    assert done.returncode == 0, done.stderr
    events = [json.loads(s) for s in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert any("val_loss_nats" in event for event in events)


@pytest.mark.slow
def test_attention_is_written_for_all_that_nobody_reads(shell, verse, tmp_path):
    pairs = "in and out\train\nthe wheel\tspin\n" * 12
    (tmp_path / "pairs.tsv").write_text(pairs)
    tiny = "--tokens char --hidden 8 --embedding 8 --batch 4 --max-steps 2 --eval-every 2"
    assert shell(f"$U train translate pairs.tsv --run r {tiny}").returncode == 0
    words = " ".join(["in"] * 600)  # more than one group
    done = shell(f"$U translate r {words} --max-new-tokens 2 --attention a.json | head -1")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "a.json").read_text())) == 600


@pytest.mark.parametrize(
    "line",
    ["$U eval {run} | true",
     *slow("$U sample {run} --count 300 --max-new-tokens 300 | head -2", "$U info {run} | head -1",
           "$U train text --help | head -1", "$U hello | head -1", "$U hello 2>&1 | true",
           "$U nosuch 2>&1 | true")],
)  # fmt: skip
def test_others_end_in_silence_when_their_reader_goes(shell, trained, line):
    done = shell(line.format(run=trained))
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("line", "code"),
    [("$U sample {run} --max-new-tokens 5 >&-", 0), ("$U sample none >&- 2>&- <&-", 2),
     *slow(("$U sample {run} --max-new-tokens 5 <&-", 0), ("$U info >&- <&-", 0),
           ("$U eval {run} --json 2>&-", 0), ("$U --help >&-", 0), ("$U nosuch 2>&-", 2),
           ("$U train text - --run q <&-", 2))],
)  # fmt: skip
def test_closed_streams(shell, trained, line, code):
    done = shell(line.format(run=trained), stdin=subprocess.DEVNULL)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.slow
def test_output_on_a_full_disk_is_an_error(shell, trained):
    done = shell(f"$U eval {trained} > /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write the output: No space left on device" in done.stderr


def until_a_step(started):
    while not started.stdout.readline().startswith("step"):
        pass


@pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="SIGHUP is ignored, as under nohup"
)
def test_a_closed_terminal_saves_and_stops(process, unspool, verse, tmp_path, small):
    """It sends SIGHUP twice: from the system, and from the shell."""
    run = tmp_path / "r"
    arguments = ["train", "text", verse, "--run", run, *small, "--max-steps", 10**7]
    with process(*arguments) as started:
        until_a_step(started)
        started.send_signal(signal.SIGHUP)
        started.send_signal(signal.SIGHUP)
        out = started.stdout.read()
    assert started.returncode == 0
    step = int(re.search(r"stopped by SIGHUP at step (\d+)", out)[1])
    resume = re.search(r"resume with: unspool (.*)", out)[1].split()
    done = unspool(*resume, "--max-steps", step + 20)
    assert f"finished at step {step + 20}" in done.out


@pytest.mark.slow
def test_nohup_stays_nohup(verse, tmp_path, small):
    arguments = ["train", "text", verse, "--run", tmp_path / "r", *small, "--max-steps", 3000]
    command = ["bash", "-c", 'trap "" HUP; exec "$@"', "bash", sys.executable, "-m", "unspool"]
    command += list(map(str, arguments))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        until_a_step(started)
        started.send_signal(signal.SIGHUP)
        out = started.stdout.read()
    assert "finished at step 3000" in out


@pytest.mark.slow
def test_a_training_outlives_its_terminal(process, verse, tmp_path, small):
    """Under nohup in a terminal that is closed: writing fails with EIO."""
    ours, theirs = pty.openpty()
    run = tmp_path / "r"
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    arguments = ["train", "text", verse, "--run", run, *small, "--max-steps", 3000]
    with process(*arguments, **streams) as started:
        os.close(theirs)
        shown = b""
        while b"step" not in shown:
            shown += os.read(ours, 1000)
        os.close(ours)
    assert started.returncode == 0
    assert last_step(run) == 3000


@pytest.mark.parametrize("module", ["unspool", *slow("unspool.cli")])
@pytest.mark.parametrize("imported", ["jax._src.core", *slow("numpy", "rich.console")])
def test_ctrl_c_while_it_starts_is_one_line(module, imported):
    """Python reports every import, so the process can be signalled in the middle of them."""
    command = [sys.executable, "-X", "importtime", "-m", module, "info"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        while started.stderr.readline().split()[-1] != imported:
            pass
        started.send_signal(signal.SIGINT)
        told = [line for line in started.stderr if not line.startswith("import time:")]
    assert (started.returncode, told) == (130, ["unspool: interrupted\n"])


def test_the_library_leaves_signals_and_streams_alone():
    code = "import signal, sys, unspool; print(signal.getsignal(signal.SIGINT).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "default_int_handler\n"
