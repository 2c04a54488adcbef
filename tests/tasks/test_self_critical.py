"""Self-critical training: rewards, what is drawn, and whose gradient it is."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unspool import CaptionData, Captioner, CaptionTask
from unspool.tasks.caption_metrics import bleu, cider
from unspool.tasks.self_critical import (
    DRAWN,
    Reward,
    RewardBatch,
    draw,
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


def test_the_gradient_is_that_of_the_mean_reward(data, model):
    """Where all captions are known and few: the model draws one token, then is cut."""
    reward = Reward(data.train, data.sentences)
    batch = RewardBatch(np.eye(4, dtype=np.float32)[:1], np.array([0]), np.array([True]))
    vocab = np.arange(model.vocab_size)[:, None]
    values = jnp.asarray(reward(np.zeros(len(vocab), int), vocab))

    def expected(bias):
        state = model.decoder.start(model.condition(jnp.asarray(batch.features)))
        logits, _ = model.decoder.step(jnp.array([data.sentences.end]), state)
        unknown = data.sentences.vocab.unknown_id
        p = jax.nn.softmax((logits[0] + bias).at[unknown].set(-1e9))
        return -jnp.sum(p * values)

    def drawn(bias, key):
        moved = eqx.tree_at(lambda m: m.decoder.b_out, model, model.decoder.b_out + bias)
        return self_critical_loss(moved, batch, key, reward, 1)

    zero = jnp.zeros(model.vocab_size)
    wanted = jax.grad(expected)(zero)
    gradient = jax.jit(jax.grad(drawn))
    found = np.mean([gradient(zero, jax.random.key(i)) for i in range(1500)], axis=0)
    spread = np.std([gradient(zero, jax.random.key(i)) for i in range(200)], axis=0)
    np.testing.assert_allclose(found, wanted, atol=5 * spread.max() / 1500**0.5)
    assert np.abs(wanted).max() > 10 * spread.max() / 1500**0.5  # else the test could not fail


def test_what_is_drawn_ends_in_end(data, model):
    condition = model.condition(jnp.eye(4))
    tokens = np.asarray(draw(model.decoder, condition, jax.random.key(0), data.sentences.end, MOST))
    assert tokens.shape == (4 * DRAWN, MOST)
    for row in tokens:
        ends = np.flatnonzero(row == data.sentences.end)
        assert not len(ends) or (row[ends[0] :] == data.sentences.end).all()


def test_rewards_rise_and_batches_follow_from_the_position(data, model):
    task = CaptionTask(data, batch=20, reward_after=30)
    assert [type(task.batch(i)).__name__ for i in (29, 30)] == ["CaptionBatch", "RewardBatch"]
    seen = np.concatenate([task.batch(30 + i).pictures for i in range(task.pictures.per_epoch)])
    assert sorted(seen[:4]) == [0, 1, 2, 3]
    config = TrainingConfig(learning_rate=1e-2, max_steps=300)
    _, static = eqx.partition(model, eqx.is_inexact_array)
    learner, step = start_learner(model, task, config), compile_step(static, task, config)
    losses = []
    for position in range(300):
        learner, outcome = step(learner, task.batch(position), position, 1e-2)
        losses.append(float(outcome.loss_nats))
    assert np.mean(losses[-20:]) < np.mean(losses[30:50]) - 0.5  # minus the mean reward
    assert min(losses[:30]) > 0 > max(losses[-20:])
    found = task.evaluate(eqx.combine(learner.params, static))
    assert found.best_by == "reward"
    assert found.metrics["reward"] > 1
