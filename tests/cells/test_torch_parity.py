"""The cells against torch.nn: outputs, last states and all gradients."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import KINDS, assert_close, random_cell, random_like

from unspool import GRU, unroll

torch = pytest.importorskip("torch")

B, T, D, H = 3, 9, 4, 5


def torch_layer(cell: Any) -> Any:
    """torch.nn's layer with our weights: its b_hh is zero but where a cell has `b_hn`."""
    layer = getattr(torch.nn, type(cell).__name__)(cell.w_ih.shape[1], H, batch_first=True)
    b_hh = np.zeros(len(cell.bias), np.float32)
    if isinstance(cell, GRU):
        b_hh[2 * H :] = cell.b_hn
    weights = (cell.w_ih, cell.w_hh, cell.bias, b_hh)
    for parameter, array in zip(layer.parameters(), weights, strict=True):
        parameter.data = torch.tensor(np.asarray(array))
    return layer


def torch_gradients(cell: Any, xs: Any, state: Any, cotangents: Any) -> Any:
    """(outputs, last state) and the gradients by cell, inputs and first state."""
    layer = torch_layer(cell)
    x = torch.tensor(np.asarray(xs), requires_grad=True)
    first = [torch.tensor(np.asarray(leaf)[None], requires_grad=True) for leaf in state]
    outputs, last = layer(x, tuple(first) if len(first) == 2 else first[0])
    last = last if isinstance(last, tuple) else (last,)
    weights = [torch.tensor(np.asarray(leaf)) for leaf in jax.tree.leaves(cotangents)]
    results = [outputs, *(leaf[0] for leaf in last)]
    sum((r * w).sum() for r, w in zip(results, weights, strict=True)).backward()
    w_ih, w_hh, bias, b_hh = (p.grad.numpy() for p in layer.parameters())
    # Leaves in the order of the cell's fields.
    d_cell = [w_ih, w_hh, bias, *([b_hh[2 * H :]] if isinstance(cell, GRU) else [])]
    gradients = [*d_cell, x.grad.numpy(), *(leaf.grad[0].numpy() for leaf in first)]
    return [r.detach().numpy() for r in results], gradients


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_states_and_gradients_are_those_of_torch(kind: str):
    cell = random_cell(kind, D, H)
    state = random_like(cell.initial_state(B), seed=2)
    xs = random_like(jnp.zeros((B, T, D)), seed=3)
    cotangents = random_like((jnp.zeros((B, T, H)), state), seed=4)

    @jax.jit
    def ours(arguments: Any) -> Any:
        results, pull_back = jax.vjp(lambda a: unroll(*a), arguments)
        return results, *pull_back(cotangents)

    expected = torch_gradients(cell, xs, state, cotangents)
    results, gradients = (jax.tree.leaves(tree) for tree in ours((cell, xs, state)))
    assert_close(results, expected[0], rtol=1e-5, atol=1e-6)
    assert_close(gradients, expected[1], rtol=1e-5, atol=1e-5)
