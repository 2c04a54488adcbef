"""The optimiser against AdamW written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unspool.training import TrainingConfig
from unspool.training.optim import Learner, apply_gradients, keep_finite, optimizer

CONFIG = TrainingConfig(clip_norm=0.7, beta2=0.95, weight_decay=0.1, average=0.6)
SHAPES = {"matrix": (3, 2), "bias": (2,)}


def draw(seed, scale):
    random = np.random.default_rng(seed)
    return {name: random.normal(0, scale, shape) for name, shape in SHAPES.items()}


def adamw(params, gradients, moments, step, rate):
    """One step of Loshchilov and Hutter's algorithm 2, after clipping; `step` counts from 1."""
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
    new = {}
    for name, p in params.items():
        g = gradients[name] * min(1, CONFIG.clip_norm / norm)
        m, v = moments[name]
        m, v = 0.9 * m + 0.1 * g, CONFIG.beta2 * v + (1 - CONFIG.beta2) * g**2
        moments[name] = m, v
        direction = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - CONFIG.beta2**step)) + 1e-8)
        decay = CONFIG.weight_decay * p if name == "matrix" else 0
        new[name] = p - rate * (direction + decay)
    return new


def test_three_steps_are_those_of_adamw():
    params = draw(0, 1)
    moments = {name: (np.zeros(shape), np.zeros(shape)) for name, shape in SHAPES.items()}
    average = params
    arrays = jax.tree.map(jnp.float32, params)
    learner = Learner(arrays, optimizer(CONFIG).init(arrays), arrays, None)
    for step, scale in enumerate([5.0, 0.01, 1.0]):  # clipped, not clipped, clipped
        gradients, rate = draw(step + 1, scale), 0.1 / (step + 1)
        learner = apply_gradients(
            learner, jax.tree.map(jnp.float32, gradients), rate, jnp.int32(step), CONFIG
        )
        params = adamw(params, gradients, moments, step + 1, rate)
        keep = min(CONFIG.average, (1 + step) / (10 + step))
        average = {name: keep * average[name] + (1 - keep) * params[name] for name in params}
        for name in SHAPES:
            assert learner.params[name] == pytest.approx(params[name], abs=1e-5)
            assert learner.average[name] == pytest.approx(average[name], abs=1e-5)


def test_all_or_nothing_is_kept():
    old = Learner(jnp.ones(2), jnp.ones(1), None, jnp.ones(3))
    new = jax.tree.map(lambda leaf: leaf * jnp.nan, old)
    kept = keep_finite(jnp.bool_(False), new, old)
    assert all(
        np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (kept, old)), strict=True)
    )
    assert np.isnan(keep_finite(jnp.bool_(True), new, old).carried).all()
