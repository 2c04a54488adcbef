"""Self-critical training: rewards, what is drawn, and whose gradient it is."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unspool import CaptionData, Captioner, CaptionTask
from unspool.decoding import without_unknown
from unspool.models.decoder import shifted
from unspool.models.softmax import token_nats
from unspool.tasks.caption.metrics import bleu, cider
from unspool.tasks.caption.self_critical import (
    SAMPLED,
    Reward,
    RewardBatch,
    sample_captions,
    self_critical_loss,
)
from unspool.training import TrainingConfig
from unspool.training.step import compile_step, start_learner

CAPTIONS = [["a dog runs", "the dog runs on grass"], ["two men sit"], ["a cat"], ["a red car ."]]
MOST = 6


@pytest.fixture(scope="module")
def data():
    features = np.eye(4, dtype=np.float32)
    return CaptionData.build(features, CAPTIONS, features, CAPTIONS, min_count=1)


@pytest.fixture(scope="module")
def model(data):
    sizes = {"hidden_size": 8, "embedding_size": 8, "condition_size": 4}
    return Captioner.create(len(data.sentences.vocab), 4, way="every", **sizes)


def test_a_reward_is_that_of_the_scores(data):
    reward = Reward(data.train, data.sentences)
    ids = data.sentences.encode("a dog sit")[:-1]
    words = [["a", "dog", "sit"]]
    wanted = 2 * np.mean(bleu(words, [[text.split() for text in CAPTIONS[0]]]))
    others = [["x"], ["y"], ["z"]]  # score nothing
    ended = [[[*text.replace(" .", "").split(), "\n"] for text in row] for row in CAPTIONS]
    cider_d = 4 * cider([[*words[0], "\n"], *others], ended)
    assert reward.of(0, ids, True) == pytest.approx(wanted + 0.5 * cider_d)
    whole = data.sentences.encode("a dog runs")[:-1]
    assert reward.of(0, whole, False) < reward.of(0, whole, True)
    row = np.append(ids, [data.sentences.end] * 2)
    cut = data.sentences.encode("two men sit on grass runs")[:5]
    found = reward(np.array([0, 1]), np.stack([row, cut]))
    assert found == pytest.approx([reward.of(0, ids, True), reward.of(1, cut, False)])
    assert reward.of(2, ids[:0], True) == pytest.approx(0, abs=1e-3)  # an empty caption


def test_the_gradient_is_that_of_the_mean_reward():
    """By enumeration: of five tokens, END among them, in captions of up to three. Two pictures of
    three rows are real.
    """
    texts, most = [["a b", "b a a"], ["c"], ["a"]], 3
    features = np.eye(3, dtype=np.float32)
    data = CaptionData.build(features, texts, features, texts, min_count=1)
    sizes = {"hidden_size": 4, "embedding_size": 4, "condition_size": 3}
    model = Captioner.create(len(data.sentences.vocab), 3, way="every", **sizes)
    end, unknown = data.sentences.end, data.sentences.vocab.unknown_id
    reward = Reward(data.train, data.sentences)
    batch = RewardBatch(features, np.array([0, 1, 0]), np.array([True, True, False]))
    written = [i for i in range(model.vocab_size) if i != unknown]
    captions = np.array([
        row for row in itertools.product(written, repeat=most)
        if all(b == end for a, b in itertools.pairwise(row) if a == end)
    ])  # fmt: skip
    count = len(captions)
    values = np.stack([reward(np.full(count, p), captions) for p in (0, 1)])
    lengths = np.array([row.index(end) + 1 if end in row else most for row in captions.tolist()])

    def moved(bias):
        return eqx.tree_at(lambda m: m.decoder.b_out, model, model.decoder.b_out + bias)

    def expected(bias):
        decoder = without_unknown(moved(bias).decoder, data.sentences.vocab)
        condition = moved(bias).condition(jnp.asarray(features[:2]))
        each = jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), condition)
        tokens = jnp.asarray(np.tile(captions, (2, 1)))
        nats = token_nats(decoder, decoder.read(shifted(tokens, end), each)[0], tokens)
        counted = np.arange(most) < np.tile(lengths, 2)[:, None]
        p = jnp.exp(-jnp.sum(jnp.where(counted, nats, 0.0), axis=1)).reshape(2, count)
        return -jnp.mean(jnp.sum(p * values, axis=1))

    zero = jnp.zeros(model.vocab_size)
    wanted = jax.jit(jax.grad(expected))(zero)
    drawn = jax.grad(lambda bias, key: self_critical_loss(moved(bias), batch, key, reward, most))
    found = jax.jit(lambda keys: jax.lax.map(lambda key: drawn(zero, key), keys))(
        jax.random.split(jax.random.key(0), 2500)
    )
    error = np.std(found, axis=0).max() / len(found) ** 0.5
    np.testing.assert_allclose(np.mean(found, axis=0), wanted, atol=5 * error)
    assert np.abs(wanted).max() > 20 * error  # else the test could not fail


def test_what_is_drawn_ends_in_end(data, model):
    condition = model.condition(jnp.eye(4))
    tokens = np.asarray(
        sample_captions(model.decoder, condition, jax.random.key(0), data.sentences.end, MOST)
    )
    assert tokens.shape == (4 * SAMPLED, MOST)
    for row in tokens:
        ends = np.flatnonzero(row == data.sentences.end)
        assert not len(ends) or (row[ends[0] :] == data.sentences.end).all()


@pytest.mark.slow
def test_rewards_rise_and_batches_follow_from_the_position(data, model):
    task = CaptionTask(data, batch=20, reward_after=150)
    assert [type(task.batch(i)).__name__ for i in (149, 150)] == ["CaptionBatch", "RewardBatch"]
    seen = np.concatenate([task.batch(150 + i).pictures for i in range(task.pictures.per_epoch)])
    assert sorted(seen[:4]) == [0, 1, 2, 3]
    config = TrainingConfig(learning_rate=1e-2, max_steps=400)
    _, static = eqx.partition(model, eqx.is_inexact_array)
    learner, step = start_learner(model, task, config), compile_step(static, task, config)
    losses, nats = [], []
    for position in range(400):
        learner, outcome = step(learner, task.batch(position), position, 1e-2)
        nats.append(outcome.loss_nats)
        losses.append(float(outcome.objective))
    assert np.mean(losses[-20:]) < np.mean(losses[150:170]) - 0.5  # minus the mean reward
    assert min(losses[:150]) > 0 > max(losses[-20:])
    assert nats[149] is not None
    assert nats[150] is None  # nothing of it is a cross-entropy
    found = task.evaluate(eqx.combine(learner.params, static))
    assert found.best_by == "reward"
    assert found.metrics["reward"] > 1
