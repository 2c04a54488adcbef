"""The parts of tiny Shakespeare, and the two clocks."""

import pytest
from benchmarks import tiny_shakespeare

from unspool.training import EvalReport, StartReport, StepReport


def test_the_parts(tmp_path, monkeypatch):
    (tmp_path / "tiny-shakespeare.txt").write_text("a" * 90 + "b" * 5 + "c" * 5)
    monkeypatch.setenv("UNSPOOL_DATA", str(tmp_path))
    found = tiny_shakespeare.parts()
    whole = "b" * 5 + "c" * 5
    assert found == {"train": "a" * 90, "development": "b" * 5, "test": "c" * 5, "whole": whole}


def test_training_time_is_without_evaluations(monkeypatch):
    now = 0.0
    monkeypatch.setattr(tiny_shakespeare.time, "perf_counter", lambda: now)
    report = {kind: object.__new__(kind) for kind in (StartReport, StepReport, EvalReport)}

    def reports():
        nonlocal now
        for kind, took in ((StartReport, 1), (StepReport, 10), (EvalReport, 100), (StepReport, 10)):
            now += took
            yield report[kind]

    found = []
    for _, wall, trained in tiny_shakespeare.clocked(reports()):
        found.append((wall, trained))
        now += 1000  # what the caller does counts on the wall clock alone
    assert found == [(1, 1), (1011, 11), (2111, 11), (3121, 21)]


def test_a_goal_is_reached_at_the_first_evaluation_below_it():
    curve = [
        {"step": step, "wall_s": 2.0 * step, "train_s": 1.0 * step, "development_nats": nats}
        for step, nats in ((1, 2.0), (2, 1.886), (3, 1.59), (4, 1.61))
    ]
    assert tiny_shakespeare.seconds_to(curve) == {
        "1.886": {"wall_s": 4.0, "train_s": 2.0},
        "1.6": {"wall_s": 6.0, "train_s": 3.0},
        "1.5": None,
    }
    assert tiny_shakespeare.best(curve)["step"] == 3


def test_a_transformer_is_evaluated_in_windows_of_its_context():
    torch = pytest.importorskip("torch")
    nanogpt_cpu = pytest.importorskip("benchmarks.nanogpt_cpu")
    torch.manual_seed(0)
    model, ids = nanogpt_cpu.Transformer(5), torch.randint(5, (64 + 10,))
    nats = []
    for i in range(1, len(ids)):  # each character alone, from those of its window before it
        first = (i - 1) // 64 * 64
        with torch.no_grad():
            logits = model(ids[None, first:i])[0, -1]
        nats.append(torch.nn.functional.cross_entropy(logits, ids[i]).item())
    assert nanogpt_cpu.evaluate(model, ids) == pytest.approx(sum(nats) / len(nats), rel=1e-5)
