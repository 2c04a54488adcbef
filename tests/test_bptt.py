"""Truncated backpropagation: the state crosses the boundary, its gradient does not."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from tests.support import assert_close, assert_equal, random_cell, random_like

from unspool import unroll
from unspool.bptt import carry

CELL = random_cell("lstm", 2, 3)
INITIAL = random_like(CELL.initial_state(4), seed=1)
STATE = random_like(CELL.initial_state(4), seed=2)


@pytest.mark.parametrize(("reset", "expected"), [(False, STATE), (True, INITIAL)])
def test_the_state_crosses_unless_it_is_reset(reset: bool, expected: Any):
    assert_equal(carry(STATE, INITIAL, jnp.array(reset)), expected)
    assert_equal(jax.jit(carry)(STATE, INITIAL, jnp.array(reset)), expected)


def gradients(reset: bool) -> Any:
    def loss(state: Any, initial: Any) -> Any:
        outputs, _ = unroll(CELL, jnp.ones((4, 2, 2)), carry(state, initial, jnp.array(reset)))
        return jnp.sum(outputs)

    return jax.grad(loss, argnums=(0, 1))(STATE, INITIAL)


@pytest.mark.parametrize("reset", [False, True])
def test_the_gradient_of_the_state_does_not_cross(reset: bool):
    d_state, _ = gradients(reset)
    assert_equal(d_state, jax.tree.map(jnp.zeros_like, d_state))


def test_an_initial_state_can_be_learned():
    _, d_initial = gradients(reset=True)
    outputs = jax.grad(lambda s: jnp.sum(unroll(CELL, jnp.ones((4, 2, 2)), s)[0]))(INITIAL)
    assert_close(d_initial, outputs)
    assert all(leaf.all() for leaf in jax.tree.leaves(d_initial))
