"""Labelled tasks: losses and evaluations against sequences scored one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unspool
from unspool.data import Sequences, TextEncoder
from unspool.tasks.generate import evaluate_generator
from unspool.tasks.labelled import evaluate_classifier, evaluate_tagger

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
