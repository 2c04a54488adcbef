"""What a glimpse network learns from: the three terms, and where each one's gradient goes."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.glimpse_reference import linear, next_state
from tests.support import random_like

import unspool
from unspool.data import ImageEncoder, LabelledData, Sequences
from unspool.models.glimpse import Glimpses, glimpse
from unspool.tasks.glimpse.task import loss_terms

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
STD = 0.4
look = eqx.filter_jit(unspool.GlimpseClassifier.look)


def create(seed=4, shape=(4, 4, 1), classes=2, **options):
    sizes = {"patch": 2, "scales": 1, "hidden_size": 4, "glimpse_size": 4, "cell": "rnn"}
    make = lambda: unspool.GlimpseClassifier.create(classes, shape, **{**sizes, **options})  # noqa: E731
    return random_like(jax.eval_shape(make), seed=seed, scale=1.0)


@pytest.fixture(scope="module")
def data():
    images = list(rng.normal(size=(20, 4, 4, 1)))
    encoder = ImageEncoder.build(images)
    sequences = Sequences.join([encoder.encode(x) for x in images], [0, 1] * 10)
    return LabelledData(encoder, ("a", "b"), sequences, sequences, False)


def test_the_terms():
    logits = np.log([[0.7, 0.3], [0.4, 0.6]])
    means, places = rng.normal(size=(2, 3, 2, 2))
    baselines = rng.normal(size=(3, 2))
    targets = np.array([0, 0])  # right, wrong
    found = loss_terms(
        Glimpses(*map(jnp.asarray, (logits, means, places, baselines))), targets, STD
    )
    nats, reinforce, error = map(np.asarray, found)
    log_p = -0.5 * (((places - means) / STD) ** 2).sum(axis=-1)
    advantage = np.array([1, 0]) - baselines
    np.testing.assert_allclose(nats, -np.log([0.7, 0.4]), rtol=1e-5)
    np.testing.assert_allclose(reinforce, -(advantage * log_p)[1:].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(error, (advantage[1:] ** 2).mean(axis=0), rtol=1e-5)


PARTS = ("what", "where", "from_what", "from_where", "core", "locator", "output", "baseline")


def test_where_the_gradients_go():
    """Which parts of the model each term's gradient reaches."""
    model, inputs = create(glimpses=3), rng.normal(size=(8, 4, 4)).astype(np.float32)
    params, static = eqx.partition(model, eqx.is_array)

    def terms(params):
        glimpses = look(eqx.combine(params, static), inputs, KEY)
        return jnp.stack([jnp.sum(term) for term in loss_terms(glimpses, jnp.zeros(8, int), STD)])

    grads = jax.jit(jax.jacrev(terms))(params)
    reached = [
        {
            part
            for part in PARTS
            if any(bool(leaf[term].any()) for leaf in jax.tree.leaves(getattr(grads, part)))
        }
        for term in range(3)
    ]
    eyes = {"what", "where", "from_what", "from_where", "core"}
    assert reached == [eyes | {"output"}, {"locator"}, {"baseline"}]


def test_one_glimpse_has_nothing_to_choose():
    glimpses = Glimpses(jnp.ones((4, 2)), *jnp.zeros((2, 1, 4, 2)), jnp.ones((1, 4)))
    _, reinforce, error = loss_terms(glimpses, jnp.zeros(4, int), STD)
    assert not np.any(reinforce)
    assert not np.any(error)


def expected_reward(model, image):
    """E[R] = sum_{l1, l2} p(l1) p(l2 | m_2(l1)) R(l1, l2) as a function of the location network.

    R is 1 where two glimpses lead to label 0, and does not depend on the location network. It is
    found by NumPy at places spread evenly; more of second ones, as it jumps at some line.
    """
    first, second = spread(987, 610, 1.6), spread(2584, 1597, 2.6)
    states = next_state(model, np.zeros((1, 4)), *looked_at(image, first))
    looked = looked_at(image, second)
    lasts = (next_state(model, h, *looked) for h in states)
    rewards = np.stack([linear(model.output, h).argmax(axis=-1) == 0 for h in lasts])
    p_first = density(first, 0.0)

    def expectation(locator):
        means = jnp.tanh(locator(jnp.asarray(states, jnp.float32)))
        given = jax.lax.map(lambda pair: density(second, pair[0]) @ pair[1], (means, rewards))
        return p_first @ given

    return expectation


def looked_at(image, places):
    """What is seen at places (N, 2), and the places within the image."""
    cut = np.clip(places, -1, 1).astype(np.float32)
    repeated = jnp.broadcast_to(image, (len(cut), *image.shape))
    return np.asarray(glimpse(repeated, cut, patch=2, scales=1)), cut


def spread(count, step, limit):
    """The points of a Fibonacci lattice in a square: no two of them on one row or column."""
    i = np.arange(count)
    return (2 * np.stack([i, i * step % count], axis=1) / count - 1) * limit


def density(places, mean):
    """The normal density at each of the places, as shares of 1."""
    p = jnp.exp(-0.5 * jnp.sum(((places - mean) / STD) ** 2, axis=-1))
    return p / jnp.sum(p)


@pytest.mark.slow
def test_reinforce_estimates_the_gradient_of_the_expected_reward():
    """200,000 draws; every component within 4 standard errors and 1 % of the largest one."""
    model = create(seed=13, glimpses=2, std=STD)
    image = np.random.default_rng(1).normal(size=(4, 4, 1)).astype(np.float32)
    expectation = expected_reward(model, image)
    assert 0.1 < expectation(model.locator) < 0.9
    true = jax.jit(jax.grad(expectation))(model.locator)

    def term(locator, key):
        looker = eqx.tree_at(lambda m: m.locator, model, locator)
        glimpses = look(looker, jnp.broadcast_to(image[None, ..., 0], (4000, 4, 4)), key)
        return -jnp.mean(loss_terms(glimpses, jnp.zeros(4000, int), STD)[1])

    keys = jax.random.split(KEY, 50)
    drawn = jax.jit(lambda keys: jax.lax.map(lambda k: jax.grad(term)(model.locator, k), keys))
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(true))
    for found, wanted in zip(*map(jax.tree.leaves, (drawn(keys), true)), strict=True):
        error = np.std(found, axis=0) / np.sqrt(len(keys))
        assert error.max() < 0.02 * largest  # small enough to tell a wrong sign or factor
        assert np.all(np.abs(np.mean(found, axis=0) - wanted) < 4 * error + 0.01 * largest)


def test_the_loss_is_the_mean_over_independent_copies_of_real_rows(data):
    model, task = create(glimpses=2, std=STD), unspool.GlimpseTask(data, batch=8, copies=3)
    batch = next(b for b in map(task.batch, range(3)) if not b.lengths.all())
    loss, nats, _ = eqx.filter_jit(task.loss)(model, batch, (), KEY)
    glimpses = look(model, jnp.repeat(batch.inputs, 3, axis=0), KEY)
    assert len(np.unique(glimpses.locations[1, :3, 0])) == 3
    terms = sum(loss_terms(glimpses, np.repeat(batch.targets, 3), STD))
    real = np.repeat(batch.lengths > 0, 3)
    assert float(loss) == pytest.approx(float(jnp.mean(terms[real])), rel=1e-5)
    shown = loss_terms(glimpses, np.repeat(batch.targets, 3), STD)[0]  # the cross-entropy alone
    assert float(nats) == pytest.approx(float(jnp.mean(shown[real])), rel=1e-5)
    assert task.describe()["copies"] == 3


def test_class_weights_are_of_whole_rows(data):
    targets = np.repeat([0, 1], [15, 5])
    data = replace(data, train=data.train._replace(targets=targets))
    task = unspool.GlimpseTask(data, batch=20, copies=2, class_weights="balanced")
    model, batch = create(glimpses=2, std=STD), task.batch(0)
    labels = np.repeat(batch.targets, 2)
    terms = loss_terms(look(model, jnp.repeat(batch.inputs, 2, axis=0), KEY), labels, STD)
    weights = np.where(labels == 0, 15, 5) ** -1.0
    objective, nats, _ = eqx.filter_jit(task.loss)(model, batch, (), KEY)
    wanted = np.sum(weights * np.asarray(sum(terms))) / np.sum(weights)
    assert float(objective) == pytest.approx(wanted, rel=1e-5)
    assert float(nats) == pytest.approx(float(jnp.mean(terms[0])), rel=1e-5)


def test_evaluation_looks_at_the_mean_places(data):
    task, model = unspool.GlimpseTask(data, batch=4), create(glimpses=2)
    found = task.evaluate(model)
    log_p = jax.nn.log_softmax(look(model, data.val.values.reshape(20, 4, 4)).logits)
    rows = np.arange(20)
    assert found.loss_nats == pytest.approx(-float(log_p[rows, data.val.targets].mean()), rel=1e-5)
    assert found.best_by == "accuracy"


def test_copies_must_be_at_least_one(data):
    with pytest.raises(unspool.ConfigError, match="copies must be a whole number of at least 1"):
        unspool.GlimpseTask(data, copies=0)
