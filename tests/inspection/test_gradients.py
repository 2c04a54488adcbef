"""Gradients with respect to states: finite differences, a linear recurrence, what is counted."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import KINDS, random_like

from unspool import Cell, ConfigError, DataError, LanguageModel
from unspool.inspection import gradient_flow
from unspool.models.softmax import cross_entropy

V, H, STEPS = 5, 3, 6
TOKENS = np.random.default_rng(0).integers(0, V, 40)


def make(cell="lstm", **options):
    model = LanguageModel.create(V, cell=cell, hidden_size=H, num_layers=2, **options)
    weights, static = eqx.partition(model, eqx.is_inexact_array)
    return eqx.combine(random_like(weights, seed=1), static)


def differences(model, tokens, steps, layer, quantity, back, x64):
    """||dL/ds|| by central differences, step by step in float64, the first state all zeros."""
    model = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), model)

    def loss(moved):
        state = model.initial_state(1)
        state = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), state)
        for t, token in enumerate(tokens[:-1]):
            states, x = [], jnp.array([token])
            for i, cell in enumerate(model.stack.cells):
                after = cell.step(state[i], cell.project(x))
                if i == layer and t == len(tokens) - 2 - back:
                    after = after._replace(**{quantity: getattr(after, quantity) + moved})
                states.append(after)
                x = cell.output(after)
            state = tuple(states)
        return float(cross_entropy(model.logits(x), jnp.asarray(tokens[-1:]))[0])

    size = 1e-5
    unit = np.eye(H) * size
    return np.linalg.norm([(loss(e) - loss(-e)) / (2 * size) for e in unit])


@pytest.mark.parametrize(
    ("cell", "options", "quantity"),
    [
        *((kind, {}, "h") for kind in KINDS),
        ("lstm", {}, "c"),
        ("gru", {"layer_norm": True}, "h"),
    ],
)
def test_norms_are_those_of_finite_differences(cell, options, quantity, x64):
    model = make(cell, **options)
    tokens = TOKENS[: STEPS + 1]  # nothing warms the state up
    flows = {(f.layer, f.quantity): f for f in gradient_flow(model, tokens, steps=STEPS, ends=1)}
    for layer in (0, 1):
        for back in (0, 3):
            wanted = differences(model, tokens, STEPS, layer, quantity, back, x64)
            found = flows[layer, quantity].median[back]
            assert found == pytest.approx(wanted, rel=1e-3, abs=1e-7), (layer, back)


class Linear(Cell):
    """h_t = W h_{t-1} + x_t: the gradient k steps back is (W^T)^k times that at T."""

    w: jax.Array

    @property
    def hidden_size(self):
        return H

    def initial_state(self, batch):
        return jnp.zeros((batch, H))

    def project(self, x):
        return jax.nn.one_hot(x % H, H)

    def step(self, h, projected):
        return projected + h @ self.w.T


def linear(scale):
    w = scale * np.linalg.qr(np.random.default_rng(2).normal(size=(H, H)))[0]
    cell = lambda *sizes, **options: Linear(jnp.asarray(w, jnp.float32))  # noqa: E731
    return LanguageModel.create(V, cell=cell, hidden_size=H)


@pytest.mark.parametrize(("scale", "reach"), [(0.5, 7), (1.0, None), (1.05, None)])
def test_a_linear_recurrence_has_the_factor_of_its_matrix(scale, reach):
    (flow,) = gradient_flow(linear(scale), TOKENS, steps=20, ends=5)
    assert flow.factor == pytest.approx(scale, rel=1e-4)
    np.testing.assert_allclose(flow.median, flow.median[0] * scale ** np.arange(20), rtol=1e-4)
    assert (flow.reach, flow.underflows, flow.not_finite) == (reach, 0, 0)


def test_what_underflows_and_overflows_is_counted():
    (gone,) = gradient_flow(linear(1e-3), TOKENS, steps=30, ends=2)
    assert gone.underflows > 0.3
    assert gone.factor == pytest.approx(1e-3, rel=0.05)
    (many,) = gradient_flow(linear(1e3), TOKENS, steps=30, ends=2)
    assert many.not_finite > 0.3


@pytest.mark.slow
def test_the_state_is_warmed_up_and_ends_are_spread():
    model = make("gru")
    short = gradient_flow(model, TOKENS[-STEPS - 1 :], steps=STEPS, ends=1)
    (warm, *_) = gradient_flow(model, TOKENS, steps=STEPS, ends=1000)
    assert not np.array_equal(short[0].median, warm.median)
    assert (warm.low <= warm.median).all()
    assert (warm.median <= warm.high).all()


def test_wrong_input():
    model = make("rnn")
    with pytest.raises(DataError, match="the text has 5 tokens: use at least 7 or lower steps"):
        gradient_flow(model, TOKENS[:5], steps=STEPS)
    with pytest.raises(ConfigError, match="steps must be"):
        gradient_flow(model, TOKENS, steps=0)
    with pytest.raises(ConfigError, match="those of a language model, got int"):
        gradient_flow(3, TOKENS)
