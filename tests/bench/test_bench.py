"""`unspool bench`: all compute the same function, work is counted, results are JSON."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from unspool.bench import contestants, origin, ours
from unspool.bench.timing import in_turn, warm_up
from unspool.bench.workloads import GATES, Workload
from unspool.cli.main import main

FIELDS = {"shape", "seconds", "failed", "limit", "tokens_per_s", "share_of_limit", "best_peer"}


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["unspool", "bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.parametrize("cell", GATES)
def test_torch_has_the_same_loss(cell, monkeypatch):
    torch_peer = pytest.importorskip("unspool.bench.torch_peer", exc_type=ImportError)
    for module in (ours, torch_peer):  # the same weights at all steps: torch trains two biases
        monkeypatch.setattr(module, "LEARNING_RATE", 0.0)
    workload = Workload(cell, 2, 16, 3, 5)
    model, task = workload.model(), contestants.synthetic_task(workload)
    mine, theirs = ours.training(model, task), torch_peer.training(workload, model, task, 1)
    for _ in range(4):  # the later losses are those of carried states
        np.testing.assert_allclose(theirs(1), mine(1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("cell", GATES)
def test_onnx_steps_through_the_same_model(cell):
    onnx_peer = pytest.importorskip("unspool.bench.onnx_peer", exc_type=ImportError)
    workload = Workload(cell, 2, 16)
    model = workload.model()
    session, states = onnx_peer.session(workload, model, 1)
    state = model.initial_state(1)
    for token in (3, 64, 0):
        feed = {"token": np.array([[token]]), **states}
        logits, *new = session.run(None, feed)
        states = dict(zip(states, new, strict=True))
        expected, state = model.step(np.array([token]), state)
        np.testing.assert_allclose(logits[0], expected, atol=1e-5)


def test_needed_work_is_counted_by_hand():
    workload = Workload("gru", 2, 4, 5, 7)
    # Layer 1: W_hh (12 x 4); layer 2: W_ih and W_hh; the head: 65 x 4.
    multiplied = 48 + 48 + 48 + 260
    assert workload.matrix_elements == multiplied
    assert workload.training_flops == 6 * multiplied * 35  # a forward, two backward; 2 each
    assert workload.token_bytes("bfloat16") == 2 * multiplied
    assert workload.token_bytes("int8") == multiplied + 4 * (3 * 12 + 65)


def test_contestants_take_turns():
    order = []
    runs = {name: (lambda units, name=name: order.append((name, units)), 2) for name in "ab"}
    times = in_turn(runs, 3)
    assert order == [("a", 2), ("b", 2)] * 3
    assert {name: len(one) for name, one in times.items()} == {"a": 3, "b": 3}
    calls = []

    def work(units):
        calls.append(units)
        time.sleep(1e-5 * units)

    assert warm_up(work, 1e-3) >= 1
    assert calls[:3] == [1, 1, 2]


def test_the_command_writes_what_it_measured(monkeypatch, capsys, tmp_path):
    installed = [p for p in contestants.TRAINING_PEERS if p.name == "torch"]
    broken = contestants.Peer("broken", "no_such_module", ())
    absent = contestants.Peer("absent", "no_such_module", ("no_such_library",))
    monkeypatch.setattr(contestants, "TRAINING_PEERS", (*installed, broken, absent))
    path = tmp_path / "bench.json"
    assert command(monkeypatch, "--quick", "--rounds", 2, "--json", path) == 0
    out, err = capsys.readouterr()
    answer = json.loads(path.read_text())
    assert "lstm 1x32" in out
    assert {"threads", "missing", "results", "origin"} <= answer.keys()
    assert {"cpu", "libraries", "command", "cores"} <= answer["origin"].keys()
    kinds = [result["kind"] for result in answer["results"]]
    assert kinds == ["training"] * 3 + ["sampling"]
    for result in answer["results"]:
        assert result.keys() >= FIELDS
        assert {len(times) for times in result["seconds"].values()} == {2}
        assert result["share_of_limit"]["unspool"] > 0
    assert [r["failed"].keys() for r in answer["results"][:3]] == [{"broken"}] * 3
    assert "broken failed: ModuleNotFoundError" in err
    assert sum("absent" in line and "pip install" in line for line in err.splitlines()) == 1


def test_the_origin_tells_code_that_is_in_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "ROOT", tmp_path)
    found = origin.origin("measure")
    assert (found["commit"], found["modified"]) == (None, None)  # no clone
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("1\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "result.json").write_text("what a benchmark writes is no code")
    found = origin.origin("measure")
    assert len(found["commit"]) >= 7
    assert found["modified"] is False
    (tmp_path / "src" / "new.py").write_text("2\n")
    assert origin.origin("measure")["modified"] is True


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--only", "speed"], "training, sampling"),
        (["--rounds", "0"], "at least 1"),
        (["--rounds", "many"], "rounds"),
        (["--json", "no/such/folder/x.json"], "no/such/folder"),
    ],
)
def test_wrong_input_is_one_line(monkeypatch, capsys, arguments, word):
    assert command(monkeypatch, *arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert word in err
