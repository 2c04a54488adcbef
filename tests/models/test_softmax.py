"""Full softmax, in one piece and by steps, and sampled softmax."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from tests.support import assert_close, assert_equal, chi_square_p, inner, random_like

from unspool import LanguageModel
from unspool.models import softmax
from unspool.models.softmax import (
    cross_entropy,
    log_expected_count,
    log_uniform,
    sampled_nats,
    token_nats,
)

V, B, T, H = 12, 2, 3, 4
IDS = np.arange(V)
MODEL = random_like(LanguageModel.create(V, cell="rnn", hidden_size=H), seed=1)
HIDDEN = random_like(jnp.zeros((B, T, H)), seed=2)
TARGETS = jnp.array([[0, 1, 11], [5, 5, 2]])
Q = np.log1p(1 / np.arange(1, V + 1)) / np.log(V + 1)  # the log-uniform distribution


def exact_nats() -> np.ndarray:
    """-ln p(target) in float64."""
    logits = np.asarray(HIDDEN, np.float64) @ np.asarray(MODEL.w_out).T + MODEL.b_out
    log_p = logits - logsumexp(logits, axis=-1, keepdims=True)
    return -np.take_along_axis(log_p, np.asarray(TARGETS)[..., None], -1)[..., 0]


def test_cross_entropy_is_minus_the_log_probability():
    logits = MODEL.logits(HIDDEN)
    assert_close(cross_entropy(logits, TARGETS), exact_nats())
    assert_close(cross_entropy(logits + 1e4, TARGETS), exact_nats(), atol=1e-2)


def test_equal_logits_cost_the_log_of_the_vocabulary():
    assert_close(cross_entropy(jnp.zeros((1, V)), jnp.array([3])), jnp.log(jnp.array([V])))


@eqx.filter_jit
def full_with_gradients(model: Any, hidden: Any, _limit: int) -> Any:
    weights = random_like(jnp.zeros((B, T)), seed=3)

    def loss(model: Any, hidden: Any) -> Any:
        nats = token_nats(model, hidden, TARGETS)
        return inner(nats, weights), nats

    return jax.grad(loss, argnums=(0, 1), has_aux=True)(model, hidden)


def test_blocks_of_logits_change_neither_losses_nor_gradients(monkeypatch: pytest.MonkeyPatch):
    direct = full_with_gradients(MODEL, HIDDEN, softmax.MAX_LOGITS)
    assert_close(direct[1], exact_nats())
    monkeypatch.setattr(softmax, "MAX_LOGITS", B * T * V - 1)
    assert_close(full_with_gradients(MODEL, HIDDEN, softmax.MAX_LOGITS), direct)


def test_no_array_of_all_logits_is_formed_above_the_limit(monkeypatch: pytest.MonkeyPatch):
    def program(limit: int) -> str:
        monkeypatch.setattr(softmax, "MAX_LOGITS", limit)
        return str(jax.make_jaxpr(lambda h: token_nats(MODEL, h, TARGETS))(HIDDEN))

    assert f"[{T},{B},{V}]" in program(B * T * V)
    assert f"[{T},{B},{V}]" not in program(B * T * V - 1)


def test_draws_follow_the_log_uniform_distribution():
    drawn = log_uniform(jax.random.key(0), 100_000, V)
    counts = np.bincount(np.asarray(drawn), minlength=V)
    assert len(counts) == V
    assert chi_square_p(counts, Q) > 1e-4


@pytest.mark.parametrize("size", [1, 50_000])
def test_draws_stay_inside_the_vocabulary(size: int):
    drawn = log_uniform(jax.random.key(0), 100_000, size)
    assert 0 <= drawn.min() <= drawn.max() < size
    assert drawn.max() >= 0.9 * (size - 1)


def test_expected_counts_are_those_of_the_distribution():
    np.testing.assert_allclose(Q.sum(), 1)
    assert_close(log_expected_count(jnp.arange(V), 64, V), np.log(64 * Q))


def test_sampled_softmax_by_hand():
    """Six draws, weighted, with those masked that hit the target."""
    key = jax.random.key(3)
    drawn, logits = np.asarray(log_uniform(key, 6, V)), np.asarray(MODEL.logits(HIDDEN))
    expected = np.zeros((B, T))
    for b, t in np.ndindex(B, T):
        row, target = np.exp(logits[b, t]), int(TARGETS[b, t])
        others = sum(row[k] / (6 * Q[k]) for k in drawn if k != target)
        expected[b, t] = np.log(row[target] + others) - np.log(row[target])
    assert any(target in drawn for target in TARGETS.ravel())
    assert_close(sampled_nats(MODEL, HIDDEN, TARGETS, 6, key, IDS), expected)


def test_many_samples_approach_the_full_softmax():
    """The loss and every gradient: the estimate of the denominator has no bias."""

    def losses(samples: int | None) -> Any:
        def loss(model: Any, hidden: Any) -> Any:
            if samples is None:
                return token_nats(model, hidden, TARGETS).mean()
            return sampled_nats(model, hidden, TARGETS, samples, jax.random.key(1), IDS).mean()

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(MODEL, HIDDEN)

    assert_close(losses(100_000), losses(None), rtol=0.02, atol=2e-3)
    error = [abs(losses(n)[0] - losses(None)[0]) for n in (10, 100_000)]
    assert error[1] < error[0]


@pytest.mark.slow
def test_few_samples_estimate_the_gradient_on_average():
    """At a fixed point of the full softmax the mean of the sampled gradients is near zero."""
    p = 1 / (np.arange(V) + 1.5)
    p /= p.sum()
    point = eqx.tree_at(lambda m: (m.w_out, m.b_out), MODEL, (0 * MODEL.w_out, jnp.log(p)))
    targets = jax.random.choice(jax.random.key(5), V, (1, 200), p=jnp.asarray(p))

    def gradient(key: Any) -> Any:
        def loss(b_out: Any) -> Any:
            model = eqx.tree_at(lambda m: m.b_out, point, b_out)
            return sampled_nats(model, jnp.zeros((1, 200, H)), targets, 200, key, IDS).mean()

        return jax.grad(loss)(point.b_out)

    sampled = jax.jit(jax.vmap(gradient))(jax.random.split(jax.random.key(6), 400)).mean(0)
    exact = p - np.bincount(np.asarray(targets[0]), minlength=V) / 200
    np.testing.assert_allclose(sampled, exact, atol=0.01)


def test_the_numbering_of_tokens_changes_nothing():
    """The same tokens under other ids, with the order of their frequencies: the same losses."""
    order = np.random.default_rng(0).permutation(V)  # the id of what was id k
    place = np.argsort(order)
    moved = eqx.tree_at(
        lambda m: (m.w_out, m.b_out), MODEL, (MODEL.w_out[place], MODEL.b_out[place])
    )
    key = jax.random.key(3)
    found = sampled_nats(moved, HIDDEN, jnp.asarray(order)[TARGETS], 6, key, order)
    assert_close(found, sampled_nats(MODEL, HIDDEN, TARGETS, 6, key, IDS))


def test_a_key_draws_the_same_samples_again():
    first, again, other = (
        sampled_nats(MODEL, HIDDEN, TARGETS, 5, jax.random.key(k), IDS) for k in (1, 1, 2)
    )
    assert_equal(first, again)
    assert not np.array_equal(first, other)
