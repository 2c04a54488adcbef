"""Labelled tasks: losses and evaluations against sequences scored one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unspool
from unspool.data import Sequences, TextEncoder
from unspool.tasks.generate.task import evaluate_generator
from unspool.tasks.glimpse.recipe import LOOKER
from unspool.tasks.label.balance import class_weights
from unspool.tasks.label.recipe import CLASSIFIER, TAGGER
from unspool.tasks.label.task import evaluate_classifier, evaluate_tagger

rng = np.random.default_rng(0)
TEXTS = ["".join(rng.choice(list("abc"), n)) for n in rng.integers(1, 4, 24)]
ENCODER = TextEncoder.build(TEXTS, "char")
IDS = [ENCODER.encode(text) for text in TEXTS]
LABELS = ("x", "y", "z")
KEY = jax.random.key(0)
SMALL = {"vocab_size": ENCODER.table_size, "embedding_size": 4, "hidden_size": 5}


def data(sequences, encoder=ENCODER, labels=LABELS):
    return unspool.LabelledData(encoder, labels, sequences, sequences, sequences.aligned)


@pytest.fixture
def plain():
    return Sequences.join(IDS, rng.integers(0, 3, 24).tolist())


@pytest.fixture
def aligned():
    return Sequences.join(IDS, [rng.integers(0, 3, len(ids)) for ids in IDS], aligned=True)


def nats(logits, targets):
    log_p = jax.nn.log_softmax(logits, axis=-1)
    return -np.take_along_axis(np.asarray(log_p), np.asarray(targets)[..., None], -1)[..., 0]


def test_classify_loss_and_evaluation(plain):
    task = unspool.ClassifyTask(data(plain), batch=8)
    model = unspool.Classifier.create(3, **SMALL)
    logits = np.stack([model(ids[None], jnp.array([len(ids)]))[0] for ids in IDS])
    each = nats(logits, plain.targets)
    for position in range(task.buckets.per_epoch):
        rows, _ = task.buckets.rows(position)
        loss, *_ = task.loss(model, task.batch(position), (), KEY)
        assert float(loss) == pytest.approx(each[rows[rows >= 0]].mean(), rel=1e-5)
    found = evaluate_classifier(model, plain, LABELS)
    assert found.loss_nats == pytest.approx(each.mean(), rel=1e-5)
    assert found.metrics["accuracy"] == np.mean(logits.argmax(-1) == plain.targets)
    assert found.tokens == np.sum(found.details["confusion"]) == 24
    assert found.rank == [-found.metrics["accuracy"], found.loss_nats]


def test_tag_loss_and_evaluation(aligned):
    task = unspool.TagTask(data(aligned), batch=8)
    model = unspool.Tagger.create(3, **SMALL)
    targets = np.split(aligned.targets, np.cumsum(aligned.lengths)[:-1])
    logits = [np.asarray(model(ids[None], jnp.array([len(ids)]))[0]) for ids in IDS]
    each = [nats(found, wanted) for found, wanted in zip(logits, targets, strict=True)]
    rows, _ = task.buckets.rows(0)
    loss, *_ = task.loss(model, task.batch(0), (), KEY)
    expected = np.concatenate([each[row] for row in rows[rows >= 0]]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    found = evaluate_tagger(model, aligned, LABELS)
    assert found.loss_nats == pytest.approx(np.concatenate(each).mean(), rel=1e-5)
    right = np.concatenate(logits).argmax(-1) == aligned.targets
    assert found.metrics["accuracy"] == pytest.approx(right.mean())
    assert "span_f1" not in found.metrics
    spans = evaluate_tagger(model, aligned, ("B-x", "I-x", "O"))
    assert spans.best_by == "span_f1"
    assert 0 <= spans.metrics["span_f1"] <= 1


def test_balanced_weights_are_those_of_scikit_learn():
    targets = np.repeat([0, 1, 2], [6, 3, 1])
    assert class_weights("balanced", targets, 3) == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    assert class_weights("none", targets, 3).tolist() == [1, 1, 1]
    with pytest.raises(unspool.ConfigError, match="class_weights must be one of none, balanced"):
        class_weights("balance", targets, 3)


def test_class_weights_are_in_the_objective_and_not_in_the_loss_that_is_shown():
    targets = np.repeat([0, 1, 2], [16, 6, 2])
    weights = 24 / (3 * np.array([16, 6, 2]))[targets]
    model = unspool.Classifier.create(3, **SMALL)
    each = nats(np.stack([model(i[None], jnp.array([len(i)]))[0] for i in IDS]), targets)
    found = data(Sequences.join(IDS, targets.tolist()))
    task = unspool.ClassifyTask(found, batch=10, class_weights="balanced")
    for position in range(task.buckets.per_epoch):
        rows = task.buckets.rows(position)[0]
        rows = rows[rows >= 0]
        objective, shown, _ = task.loss(model, task.batch(position), (), KEY)
        wanted = np.sum(weights[rows] * each[rows]) / np.sum(weights[rows])
        assert float(objective) == pytest.approx(wanted, rel=1e-5)
        assert float(shown) == pytest.approx(each[rows].mean(), rel=1e-5)
        assert abs(wanted - each[rows].mean()) > 1e-3
    assert task.evaluate(model).loss_nats == pytest.approx(each.mean(), rel=1e-5)


def test_class_weights_of_tags_count_steps():
    targets = [np.arange(len(ids)) % 3 for ids in IDS]  # the first steps are the most
    sequences = Sequences.join(IDS, targets, aligned=True)
    task = unspool.TagTask(data(sequences), batch=len(IDS), class_weights="balanced")
    counts = np.bincount(sequences.targets)
    assert len(set(counts)) == 3
    model, rows = unspool.Tagger.create(3, **SMALL), task.buckets.rows(0)[0]
    logits = [np.asarray(model(IDS[i][None], jnp.array([len(IDS[i])]))[0]) for i in rows]
    tags = np.concatenate([targets[i] for i in rows])
    each = nats(np.concatenate(logits), tags)
    weights = counts.sum() / (3 * counts[tags])
    objective, shown, _ = task.loss(model, task.batch(0), (), KEY)
    assert float(objective) == pytest.approx(np.sum(weights * each) / np.sum(weights), rel=1e-5)
    assert float(shown) == pytest.approx(each.mean(), rel=1e-5)


@pytest.mark.parametrize("best_by", [None, "accuracy", "macro_f1", "loss"])
def test_the_best_model_is_that_of_the_criterion_named(plain, best_by):
    task = unspool.ClassifyTask(data(plain), best_by=best_by)
    found = task.evaluate(unspool.Classifier.create(3, **SMALL))
    assert found.best_by == task.describe()["best_by"] == (best_by or "accuracy")
    wanted = found.loss_nats if best_by == "loss" else found.metrics[best_by or "accuracy"]
    assert found.best_value == wanted


def test_span_f1_is_a_criterion_of_bio_tags_alone(aligned):
    bio = data(aligned, labels=("B-x", "I-x", "O"))
    model = unspool.Tagger.create(3, **SMALL)
    for best_by, wanted in ((None, "span_f1"), ("span_f1", "span_f1"), ("loss", "loss")):
        assert unspool.TagTask(bio, best_by=best_by).evaluate(model).best_by == wanted
    assert unspool.TagTask(data(aligned)).evaluate(model).best_by == "accuracy"
    message = "best_by must be one of accuracy, macro_f1, loss, got 'span_f1'"
    with pytest.raises(unspool.ConfigError, match=message):
        unspool.TagTask(data(aligned), best_by="span_f1")


@pytest.mark.parametrize("recipe", [CLASSIFIER, TAGGER, LOOKER], ids=lambda recipe: recipe.name)
def test_options_of_imbalance_reach_the_task(plain, aligned, recipe):
    given = {"best_by": "macro_f1", "class_weights": "balanced"}
    found = recipe.task(data(aligned if recipe.aligned else plain), recipe.merge((), given))
    assert given.items() <= found.describe().items()


def test_generate_loss_and_evaluation():
    encoder = TextEncoder.build([f"\n{text}\n" for text in TEXTS], "char")
    ids = [encoder.encode(f"\n{text}\n") for text in TEXTS]
    sequences = Sequences.join(ids, rng.integers(0, 3, 24).tolist())
    task = unspool.GenerateTask(data(sequences, encoder), batch=8)
    model = unspool.Generator.create(3, encoder.table_size, hidden_size=5, cell="gru")
    each = [
        nats(model(row[None, :-1], jnp.array([label]))[0], row[1:])
        for row, label in zip(ids, sequences.targets, strict=True)
    ]
    rows, _ = task.buckets.rows(0)
    loss, *_ = task.loss(model, task.batch(0), (), KEY)
    expected = np.concatenate([each[row] for row in rows[rows >= 0]]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    found = evaluate_generator(model, sequences, encoder.vocab)
    total = np.concatenate(each)
    assert found.tokens == len(total) == sum(len(text) + 1 for text in TEXTS)
    assert found.loss_nats == pytest.approx(total.mean(), rel=1e-5)
    assert found.bits_per_char == pytest.approx(total.mean() / np.log(2), rel=1e-5)
    assert found.best_by == "loss"
    assert task.sample(model, seed=0).startswith("x: ")


def test_the_task_tells_its_padding(plain):
    (_, note) = unspool.ClassifyTask(
        unspool.LabelledData(ENCODER, LABELS, plain, plain, False, ("sizes",)), batch=8
    ).notes
    assert "% of the time steps are padding, to one of these lengths: " in note
