"""The three cells against a naive NumPy re-implementation: values and gradients."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests import naive
from tests.support import KINDS, assert_close, inner, random_cell, random_like

from unspool import ConfigError, unroll
from unspool.cells import CELLS

B, T, D, H = 3, 4, 2, 3
LENGTHS = {"full": None, "ragged": np.array([4, 2, 0])}

cases = pytest.mark.parametrize("kind", KINDS)
norms = pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer_norm"])
ends = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())


def problem(kind: str, layer_norm: bool) -> tuple[Any, Any]:
    """Arguments (cell, xs, state) of `unroll`, and weights for what it returns."""
    cell = random_cell(kind, D, H, layer_norm=layer_norm)
    state = random_like(cell.initial_state(B), seed=2)
    xs = random_like(jnp.zeros((B, T, D)), seed=3)
    return (cell, xs, state), random_like((jnp.zeros((B, T, H)), state), seed=4)


def finite_differences(function: Any, arguments: Any, step: float = 1e-5) -> Any:
    """Central differences of `function` in every element of every array of `arguments`."""
    leaves, structure = jax.tree.flatten(arguments)
    leaves = [np.array(leaf) for leaf in leaves]

    def slope(leaf: np.ndarray, index: tuple[int, ...]) -> float:
        value, values = leaf[index], []
        for leaf[index] in (value + step, value - step):
            values.append(function(*jax.tree.unflatten(structure, leaves)))
        leaf[index] = value
        return (values[0] - values[1]) / (2 * step)

    slopes = [
        np.array([slope(leaf, index) for index in np.ndindex(leaf.shape)]).reshape(leaf.shape)
        for leaf in leaves
    ]
    return jax.tree.unflatten(structure, slopes)


@cases
@norms
@ends
@pytest.mark.usefixtures("x64")
def test_outputs_and_last_state_are_the_naive_ones(kind: str, layer_norm: bool, lengths: Any):
    arguments, _ = problem(kind, layer_norm)
    expected = naive.unroll(*jax.tree.map(np.asarray, arguments), lengths)
    lengths = None if lengths is None else jnp.asarray(lengths)
    assert_close(unroll(*arguments, lengths), expected, rtol=1e-12, atol=1e-12)


@cases
@norms
@ends
@pytest.mark.usefixtures("x64")
def test_every_gradient_is_the_finite_difference(kind: str, layer_norm: bool, lengths: Any):
    arguments, weights = problem(kind, layer_norm)
    traced = None if lengths is None else jnp.asarray(lengths)

    @jax.jit
    def gradients(arguments: Any) -> Any:
        return jax.grad(lambda a: inner(unroll(*a, traced), weights))(arguments)

    flat_weights = [np.asarray(w) for w in jax.tree.leaves(weights)]

    def naive_loss(*arguments: Any) -> float:
        found = jax.tree.leaves(naive.unroll(*arguments, lengths))
        return sum(np.sum(x * w) for x, w in zip(found, flat_weights, strict=True))

    expected = finite_differences(naive_loss, arguments)
    assert_close(gradients(arguments), expected, rtol=1e-6, atol=1e-8)


@cases
@norms
def test_initial_state_is_zero_and_batch_first(kind: str, layer_norm: bool):
    cell = random_cell(kind, D, H, layer_norm=layer_norm)
    for leaf in cell.initial_state(5):
        assert leaf.shape == (5, H)
        assert not leaf.any()


@cases
def test_initial_weights_lie_within_one_over_root_hidden_size(kind: str):
    cell = CELLS[kind].create(30, 16, key=jax.random.key(0))
    for weights in (cell.w_ih, cell.w_hh):
        assert 0.24 < jnp.max(jnp.abs(weights)) <= 0.25
        assert abs(jnp.mean(weights)) < 0.03


def test_lstm_starts_by_remembering():
    bias = CELLS["lstm"].create(2, 3, key=jax.random.key(0)).bias
    np.testing.assert_array_equal(bias, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0])


@cases
@norms
def test_layer_norm_ignores_the_scale_of_both_products(kind: str, layer_norm: bool):
    (cell, xs, state), _ = problem(kind, layer_norm)
    scaled = jax.tree.map(lambda w: w, cell)
    object.__setattr__(scaled, "w_ih", 1000 * cell.w_ih)
    object.__setattr__(scaled, "w_hh", 1000 * cell.w_hh)
    same = np.allclose(unroll(scaled, xs, state)[0], unroll(cell, xs, state)[0], atol=1e-2)
    assert same == layer_norm


@cases
@pytest.mark.parametrize("sizes", [(0, 3), (2, 0), (2, -1), (2, 2.5), (True, 3)])
def test_sizes_must_be_whole_numbers_of_at_least_one(kind: str, sizes: tuple[Any, Any]):
    wrong = "input_size" if sizes[0] in (0, True) else "hidden_size"
    with pytest.raises(ConfigError, match=f"{wrong} must be a whole number of at least 1, got"):
        CELLS[kind].create(*sizes, key=jax.random.key(0))
