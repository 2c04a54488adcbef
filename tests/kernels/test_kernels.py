"""Every time loop with its own backward pass against the scan with automatic gradients."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from support import KINDS, LeakyCell, assert_close, create_leaky, random_cell, random_like
from unspool import LSTM, LSTMState, unroll
from unspool.kernels import AUTODIFF, STORED_GATES, backend_of, run, scan_loop

B, T, H = 3, 6, 4
LENGTHS = {"full": None, "mixed": [6, 1, 3], "empty": [0, 0, 0], "longer": [9, 6, 7]}


@eqx.filter_jit
def with_gradients(loop: Any, cell: Any, projected: Any, state: Any, lengths: Any) -> Any:
    cotangents = random_like((jnp.zeros((T, B, H)), state), seed=4)
    results, pull_back = jax.vjp(lambda *a: loop(*a, lengths), cell, projected, state)
    return results, pull_back(cotangents)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_stored_gates_give_the_gradients_of_the_scan(kind: str, lengths: Any):
    cell = random_cell(kind, 2, H)
    state = random_like(cell.initial_state(B), seed=2)
    projected = random_like(jnp.zeros((T, B, len(cell.bias))), seed=3)
    lengths = None if lengths is None else jnp.array(lengths)
    expected = with_gradients(scan_loop, cell, projected, state, lengths)
    assert backend_of(cell) is STORED_GATES
    assert_close(with_gradients(run, cell, projected, state, lengths), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_layer_norm_runs_through_the_scan(kind: str):
    backend = backend_of(random_cell(kind, 2, H, layer_norm=True))
    assert backend == AUTODIFF._replace(reason="layer norm")


def test_a_cell_of_the_users_own_runs_through_the_scan():
    cell = create_leaky(2, H, key=jax.random.key(0))
    assert isinstance(cell, LeakyCell)
    assert backend_of(cell).name == AUTODIFF.name
    assert backend_of(cell).reason == "LeakyCell is not a built-in cell"


def test_a_subclass_keeps_its_own_step():
    class Forgetful(LSTM):
        def step(self, state: LSTMState, projected: Any) -> LSTMState:
            return LSTMState(jnp.ones_like(state.h), state.c)

    cell = Forgetful.create(2, H, key=jax.random.key(0))
    assert (unroll(cell, jnp.ones((B, 2, 2)))[0] == 1).all()
