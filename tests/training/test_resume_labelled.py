"""Tasks on sequences: stopped and resumed is never stopped; the best model is by their metric."""

import json

import numpy as np
import pytest
from test_resume import assert_same, outcome

import unspool
from unspool import RunError, StepReport
from unspool.data import LabelledData, PairData
from unspool.tasks.draw.recipe import read_drawable

LINES = "x the thread goes out\ny the wheel goes round\nx in\ny un spun\n" * 6
WORDS = "".join(f"the D\nthread{i} N\n\nwheels{i} N\nspin V\nround A\n\n" for i in range(8))
OPTIONS = {"max_steps": 25, "eval_every": 5, "log_every": 1, "average": 0.1, "save_minutes": 1e6}
SIZES = {"hidden_size": 5, "dropout": 0.2}


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "lines.txt").write_text(LINES)
    (folder / "words.txt").write_text(WORDS)
    (folder / "en.txt").write_text("in\nout\nspun out\n" * 8)
    (folder / "de.txt").write_text("ein\naus\nausgesponnen\n" * 8)
    images = np.random.default_rng(0).normal(size=(24, 6, 6))
    np.savez(folder / "images.npz", images=images, labels=[0, 1] * 12)
    np.savez(folder / "grey.npz", images=abs(images) / 6, labels=[0, 1] * 12)

    def make(kind):
        if kind == "tag":
            data = LabelledData.read(folder / "words.txt", aligned=True, affixes=32)
            model = unspool.Tagger.create(**data.model_options(), embedding_size=4, **SIZES)
            return model, unspool.TagTask(data, batch=4)
        if kind == "generate":
            data = LabelledData.read(folder / "lines.txt", lines=True, tokens="char")
            model = unspool.Generator.create(**data.model_options(), **SIZES)
            return model, unspool.GenerateTask(data, batch=4)
        if kind == "glimpse":
            data = LabelledData.read(folder / "images.npz", val_fraction=0.3)
            model = unspool.GlimpseClassifier.create(
                2, data.encoder.shape, glimpses=2, glimpse_size=4, **SIZES
            )
            return model, unspool.GlimpseTask(data, batch=4, copies=2)
        if kind == "draw":
            data = read_drawable(folder / "grey.npz", val_fraction=0.3, conditional=True)
            model = unspool.DrawModel.create(
                data.encoder.shape, classes=2, glimpses=2, hidden_size=5, latent_size=2
            )
            return model, unspool.DrawTask(data, batch=4)
        if kind == "translate":
            data = PairData.read(folder / "en.txt", folder / "de.txt", tokens="char")
            model = unspool.Translator.create(len(data.target.vocab), embedding_size=4, **SIZES)
            return model, unspool.TranslateTask(data, batch=4, label_smoothing=0.1)
        data = LabelledData.read(folder / "lines.txt", val_fraction=0.3)
        model = unspool.Classifier.create(**data.model_options(), embedding_size=4, **SIZES)
        return model, unspool.ClassifyTask(data, batch=4)

    return make


SLOW = pytest.param("draw", marks=pytest.mark.slow)  # of compiling


@pytest.mark.parametrize("kind", ["classify", "tag", "generate", "glimpse", "translate", SLOW])
def test_a_resumed_run_is_one_that_was_never_stopped(kind, make, tmp_path):
    list(unspool.train(*make(kind), run=tmp_path / "straight", **OPTIONS))
    for stop in (7, 16, 99):
        resume = stop > 7
        for report in unspool.train(*make(kind), run=tmp_path / "run", resume=resume, **OPTIONS):
            if isinstance(report, StepReport) and report.step == stop:
                break
    assert_same(tmp_path / "run", outcome(tmp_path / "straight"))


def test_the_best_model_is_the_most_accurate(make, tmp_path):
    reports = list(unspool.train(*make("classify"), run=tmp_path / "run", **OPTIONS))
    found = [r for r in reports if isinstance(r, unspool.EvalReport)]
    best = min(found, key=lambda r: (-r.metrics["accuracy"], r.val_loss_nats))
    run = unspool.load(tmp_path / "run")
    assert (run.step, run.val_metrics) == (best.step, best.metrics)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [r for r in map(json.loads, lines) if "val_loss_nats" in r]
    assert [r["accuracy"] for r in records] == [r.metrics["accuracy"] for r in found]


def test_other_data_is_refused(make, tmp_path):
    model, task = make("classify")
    list(unspool.train(model, task, run=tmp_path / "run", **OPTIONS))
    changed = task.data.train._replace(targets=1 - task.data.train.targets)
    other = LabelledData(task.data.encoder, task.data.labels, changed, task.data.val, False)
    with pytest.raises(RunError, match="the data has changed"):
        list(
            unspool.train(
                model, unspool.ClassifyTask(other, batch=4), run=tmp_path / "run", resume=True,
                **OPTIONS,
            )
        )  # fmt: skip
