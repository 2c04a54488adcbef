"""What training reports and writes, when it stops, and how it handles non-finite numbers."""

import json
import math
import threading
from collections import Counter
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import unspool
from unspool import (
    CheckpointReport,
    ConfigError,
    DivergedError,
    EvalReport,
    Evaluation,
    StartReport,
    StepReport,
    StopReport,
)
from unspool.cells.init import random_key
from unspool.training.progress import Progress


def records(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(run):
    return safetensors.numpy.load_file(run / "model.safetensors")


def state(run):
    return safetensors.numpy.load_file(run / "train-state.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


class Poisoned(unspool.LanguageTask):
    """The loss times a factor at chosen steps."""

    factors: dict[int, float]

    def batch(self, position):
        return super().batch(position), np.float32(self.factors.get(position, 1.0))

    def loss(self, model, batch, state, key):
        chunk, factor = batch
        found = super().loss(model, chunk, state, key)
        return found._replace(objective=found.objective * factor)


class Judged(unspool.LanguageTask):
    """Evaluations with given losses."""

    losses: list[float]

    def evaluate(self, model):
        return Evaluation(self.losses.pop(0), 1)


def poisoned(tiny, factors):
    model, task = tiny(Poisoned)
    task.factors = factors
    return model, task


def test_reports_come_in_order(tiny, tmp_path):
    model, task = tiny(sample_tokens=5)
    reports = list(
        unspool.train(model, task, run=tmp_path / "run", max_steps=5, eval_every=2, log_every=2)
    )
    start, step, evaluation, save, stop = (
        StartReport, StepReport, EvalReport, CheckpointReport, StopReport,
    )  # fmt: skip
    assert [type(report) for report in reports] == [
        start, step, step, evaluation, save, step, step, evaluation, save, step, evaluation, save,
        stop,
    ]  # fmt: skip
    assert [r.step for r in reports if type(r) is step] == [1, 2, 3, 4, 5]
    assert (reports[-1].step, reports[-1].reason) == (5, "finished")
    evaluations = [r for r in reports if type(r) is evaluation]
    assert reports[-1].best_val_loss_nats == min(r.val_loss_nats for r in evaluations)
    assert all(len(r.sample) >= 6 for r in evaluations)


def test_what_is_recorded(tiny, tmp_path):
    run = tmp_path / "run"
    model, task = tiny(sample_tokens=5)
    reports = list(unspool.train(model, task, run=run, max_steps=6, eval_every=3, log_every=2))
    start, *rest = records(run)
    assert start["event"] == "start"
    assert start["parameters"] == sum(leaf.size for leaf in jax.tree.leaves(model))
    steps = [r for r in rest if "loss_nats" in r]
    keys = "step loss_nats gradient_norm learning_rate tokens_per_s elapsed_s clipped saturation"
    assert all(set(r) == set(keys.split()) for r in steps)
    assert [r["step"] for r in steps] == [2, 4, 6]
    by_step = {r.step: r for r in reports if isinstance(r, StepReport)}
    assert all(r["loss_nats"] == by_step[r["step"]].loss_nats for r in steps)
    assert [r["step"] for r in rest if "val_loss_nats" in r] == [3, 6]
    samples = (run / "samples.txt").read_text()
    assert all(r.sample in samples for r in reports if isinstance(r, EvalReport))


def test_an_unknown_option_is_refused_before_anything_is_written(tiny, tmp_path):
    model, task = tiny()
    with pytest.raises(ConfigError, match="did you mean 'max_steps'"):
        unspool.train(model, task, run=tmp_path / "run", max_step=5)
    assert not (tmp_path / "run").exists()


def test_sampling_changes_nothing(tiny, tmp_path):
    for name, tokens in (("quiet", 0), ("loud", 50)):
        _, task = tiny(sample_tokens=tokens)
        model = unspool.LanguageModel.create(task.text.vocab, hidden_size=6, dropout=0.5)
        run = tmp_path / name
        list(unspool.train(model, task, run=run, max_steps=12, eval_every=3, log_every=1))
    quiet, loud = tmp_path / "quiet", tmp_path / "loud"
    assert same(state(quiet), state(loud))
    assert same(weights(quiet), weights(loud))
    losses = [[r["loss_nats"] for r in records(p) if "loss_nats" in r] for p in (quiet, loud)]
    assert losses[0] == losses[1]
    assert (quiet / "samples.txt").read_text() == "" != (loud / "samples.txt").read_text()


def test_training_goes_on_past_the_evaluation_of_donated_weights(tiny, tmp_path):
    """The caller's model survives training, whose steps overwrite their inputs."""
    model, task = tiny()
    before = jax.tree.map(np.array, model)
    list(unspool.train(model, task, run=tmp_path / "run", max_steps=3, average=0.1))
    assert all(map(np.array_equal, jax.tree.leaves(before), jax.tree.leaves(model)))


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e30])  # 1e30: only the norm overflows
def test_a_non_finite_step_is_skipped(tiny, tmp_path, factor):
    run, steps, states = tmp_path / "run", [], []
    options = {"max_steps": 6, "save_minutes": 0, "schedule": "constant", "warmup_steps": 0}
    for report in unspool.train(
        *poisoned(tiny, {2: factor, 4: factor}), run=run, learning_rate=0.01, **options
    ):
        if isinstance(report, StepReport):
            steps.append(report)
        if isinstance(report, CheckpointReport):
            states.append(state(run))
    assert [report.skipped for report in steps] == [False, False, True, False, True, False]
    rates = [report.learning_rate for report in steps]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.0025])
    changed = [not same(a, b) for a, b in pairwise(states[:6])]
    assert changed == [True, False, True, False, True]
    events = [r for r in records(run) if r.get("event") == "non_finite"]
    assert [(r["step"], r["rate_scale"]) for r in events] == [(3, 0.5), (5, 0.25)]
    assert all(np.isfinite(leaf).all() for leaf in states[-1].values())


def test_a_halved_rate_recovers():
    progress = Progress()
    rates = []
    for step in range(420):
        progress.count_step(skipped=step in (10, 12, 400))
        rates.append(progress.rate_scale)
    changes = {i: rate for i, rate in enumerate(rates) if i and rate != rates[i - 1]}
    assert changes == {10: 0.5, 12: 0.25, 112: 0.5, 212: 1.0, 400: 0.5}


def test_ten_non_finite_losses_in_a_row_end_training(tiny, tmp_path):
    run = tmp_path / "run"
    model, task = poisoned(tiny, dict.fromkeys(range(4, 99), math.nan))
    reports, counted = unspool.train(model, task, run=run, max_steps=99, eval_every=4), Counter()

    def follow():
        for report in reports:
            counted[type(report)] += 1
            if isinstance(report, EvalReport):
                counted["good"] = weights(run)

    with pytest.raises(
        DivergedError, match=r"10 steps in a row.*the last weights with a finite loss are in"
    ):
        follow()
    assert counted[StepReport] == 14
    assert same(counted["good"], weights(run))
    assert unspool.load(run).step == 4
    assert unspool.load(run).sample("The", max_new_tokens=3).startswith("The")


def test_the_last_good_weights_without_any_evaluation(tiny, tmp_path):
    run = tmp_path / "run"
    model, task = poisoned(tiny, dict.fromkeys(range(99), math.nan))
    with pytest.raises(DivergedError):
        list(unspool.train(model, task, run=run, max_steps=99))
    kept = jax.tree.leaves(unspool.load(run).model)
    assert all(map(np.array_equal, kept, jax.tree.leaves(model)))


@pytest.mark.parametrize("options", [{"max_steps": 1}, {"max_steps": 5}, {"max_steps": 99}])
@pytest.mark.parametrize("save_minutes", [0.0, 1.0])
def test_weights_that_are_kept_give_a_finite_loss(tiny, tmp_path, options, save_minutes):
    """A learning rate so high that the first step's weights are finite and their loss is not."""
    run = tmp_path / "run"
    model, task = tiny()
    rate = {"learning_rate": 1e38, "warmup_steps": 0, "eval_every": 50}
    try:
        last = list(
            unspool.train(model, task, run=run, save_minutes=save_minutes, **rate, **options)
        )
    except DivergedError:
        assert options["max_steps"] == 99
    else:
        assert not math.isfinite([r.val_loss_nats for r in last if isinstance(r, EvalReport)][-1])
    assert math.isfinite(task.evaluate(unspool.load(run).model).loss_nats)
    assert unspool.load(run).step == 0


def test_weights_are_kept_before_any_evaluation_if_their_loss_is_finite(tiny, tmp_path):
    run = tmp_path / "run"
    reports = unspool.train(*tiny(), run=run, max_steps=9, eval_every=50, save_minutes=0.0)
    for report in reports:
        if isinstance(report, CheckpointReport) and report.step == 3:
            break
    reports.close()
    assert unspool.load(run).step == 3


def test_nine_in_a_row_are_survived(tiny, tmp_path):
    bad = dict.fromkeys([*range(9), *range(10, 19)], math.nan)
    reports = unspool.train(*poisoned(tiny, bad), run=tmp_path / "run", max_steps=20)
    assert sum(isinstance(r, StepReport) and r.skipped for r in reports) == 18


def test_the_best_weights_are_kept(tiny, tmp_path):
    model, task = tiny(Judged)
    task.losses = [3.0, 2.0, math.nan, 2.5, 2.0, 4.0]
    run, best = tmp_path / "run", []
    for report in unspool.train(model, task, run=run, max_steps=12, eval_every=2):
        if isinstance(report, EvalReport):
            best.append(report.is_best)
            if report.step == 4:
                second = weights(run)
    assert best == [True, True, False, False, False, False]
    assert same(weights(run), second)
    loaded = unspool.load(run)
    assert (loaded.step, loaded.val_loss_nats) == (4, 2.0)
    # JSON has no NaN.
    assert [r["val_loss_nats"] for r in records(run) if "val_loss_nats" in r][2] is None
    assert "NaN" not in (run / "metrics.jsonl").read_text()


def test_patience(tiny, tmp_path):
    model, task = tiny(Judged)
    task.losses = [3.0, 3.5, 2.0, 2.1, 2.2, 2.3, 1.0]
    *_, stop = unspool.train(
        model, task, run=tmp_path / "run", max_steps=99, eval_every=1, patience=3
    )
    assert (stop.step, stop.best_val_loss_nats) == (6, 2.0)
    assert stop.reason == "no better held-out loss in 3 evaluations"
    assert (stop.best_step, stop.best_by, stop.best_value) == (3, "loss", 2.0)


class Scored(Judged):
    """Evaluations with given losses and scores."""

    scores: list[float]

    def evaluate(self, model):
        metrics = {"score": self.scores.pop(0)}
        return Evaluation(self.losses.pop(0), 1, metrics=metrics, best_by="score")


def test_the_criterion_is_named_with_its_best_value(tiny, tmp_path):
    """The loss at the best score, 2.5, is not the best loss, 1.5."""
    model, task = tiny(Scored)
    task.losses, task.scores = [3.0, 2.5, 1.5, 1.7], [0.1, 0.9, 0.5, 0.8]
    run = tmp_path / "run"
    *reports, stop = unspool.train(model, task, run=run, max_steps=9, eval_every=1, patience=2)
    assert stop.reason == "no better score in 2 evaluations"
    assert (stop.best_step, stop.best_by, stop.best_value) == (2, "score", 0.9)
    assert stop.best_val_loss_nats == 2.5
    evaluations = [report for report in reports if isinstance(report, EvalReport)]
    assert [(r.best_by, r.is_best) for r in evaluations] == [
        ("score", True), ("score", True), ("score", False), ("score", False),
    ]  # fmt: skip
    loaded = unspool.load(run)
    assert (loaded.best_by, loaded.val_metrics, loaded.val_loss_nats) == (
        "score", {"score": 0.9}, 2.5,
    )  # fmt: skip
    assert [r["best_by"] for r in records(run) if "best_by" in r] == ["score"] * 4


class Smoothed(unspool.LanguageTask):
    """An objective that is not the cross-entropy."""

    def loss(self, model, batch, state, key):
        found = super().loss(model, batch, state, key)
        return found._replace(objective=found.nats + 100)


def test_the_cross_entropy_is_shown_and_the_objective_beside_it(tiny, tmp_path):
    reports = {}
    for name, kind in (("plain", unspool.LanguageTask), ("smoothed", Smoothed)):
        model, task = tiny(kind)
        trained = unspool.train(model, task, run=tmp_path / name, max_steps=4, log_every=1)
        reports[name] = [report for report in trained if isinstance(report, StepReport)]
    nats = [report.loss_nats for report in reports["plain"]]
    assert [report.loss_nats for report in reports["smoothed"]] == nats
    assert [report.objective for report in reports["plain"]] == nats
    wanted = [value + 100 for value in nats]
    assert [report.objective for report in reports["smoothed"]] == pytest.approx(wanted)
    steps = [record for record in records(tmp_path / "smoothed") if "loss_nats" in record]
    assert [record["objective"] for record in steps] == pytest.approx(wanted)
    assert not any("objective" in record for record in records(tmp_path / "plain"))


def test_max_minutes(tiny, tmp_path):
    reports = list(unspool.train(*tiny(), run=tmp_path / "run", max_minutes=3 / 60))
    assert reports[-1].reason == "finished"
    steps = [report for report in reports if isinstance(report, StepReport)]
    assert steps[-1].elapsed_s >= 3
    assert all(report.elapsed_s < 3 for report in steps[:-1])
    assert steps[-1].learning_rate < steps[len(steps) // 2].learning_rate
    assert steps[-1].eta_s == 0


def test_the_average_is_what_is_evaluated_and_kept(tiny, tmp_path):
    run, age = tmp_path / "run", 0.25
    params = []
    model, task = tiny()
    for report in unspool.train(
        model, task, run=run, max_steps=5, eval_every=5, save_minutes=0, average=age
    ):
        if isinstance(report, CheckpointReport):
            params.append(state(run))
    kept = np.array([arrays["params.b_out"] for arrays in params[:5]])  # after each step
    expected = np.average(kept, axis=0, weights=[1 * 2, 2 * 3, 3 * 4, 4 * 5, 5 * 6])
    assert weights(run)["b_out"] == pytest.approx(expected, abs=1e-6)
    assert not np.allclose(weights(run)["b_out"], params[-1]["params.b_out"], atol=1e-6)


def test_the_norm_of_the_gradient_and_its_clipping(tiny, tmp_path):
    model, task = tiny()
    reports = [
        r for r in unspool.train(model, task, run=tmp_path / "run", max_steps=1)
        if isinstance(r, StepReport)
    ]  # fmt: skip
    key = jax.random.fold_in(random_key(0, "training"), 0)

    def loss(model):
        return task.loss(model, task.batch(0), task.initial_state(model), key)[0]

    nats, gradients = jax.value_and_grad(loss)(model)
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(gradients)))
    assert reports[0].loss_nats == pytest.approx(float(nats), rel=1e-5)
    assert reports[0].gradient_norm == pytest.approx(float(norm), rel=1e-4)


def test_training_works_outside_the_main_thread(tiny, tmp_path):
    stops = []

    def work():
        *_, stop = unspool.train(*tiny(), run=tmp_path / "run", max_steps=2)
        stops.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert stops[0].step == 2


def test_clipping_and_saturation_are_recorded(tiny, tmp_path):
    model, task = tiny()
    options = {"max_steps": 20, "log_every": 10, "clip_norm": 0.3, "learning_rate": 0.3,
               "warmup_steps": 0, "schedule": "constant"}  # fmt: skip
    reports = list(unspool.train(model, task, run=tmp_path / "run", **options))
    steps = [report for report in reports if isinstance(report, StepReport)]
    assert all(0 <= report.saturation <= 1 for report in steps)
    assert steps[0].saturation < steps[-1].saturation  # fresh weights hardly move the state
    found = [record for record in records(tmp_path / "run") if "gradient_norm" in record]
    shares = [sum(r.gradient_norm > 0.3 for r in part) / 10 for part in (steps[:10], steps[10:])]
    assert [record["clipped"] for record in found] == shares
    assert found[-1]["saturation"] == steps[-1].saturation
