"""Both directions: reversal by lengths, and rows that do not see their padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import assert_close, inner, needs_library, random_cell, random_like

import unspool
from unspool import kernels
from unspool.bidirectional import Bidirectional, reverse

LENGTHS = jnp.array([4, 1, 0, 3])


def test_rows_are_reversed_and_padding_stays():
    xs = jnp.arange(16.0).reshape(4, 4, 1)
    found = reverse(xs, LENGTHS)[..., 0].T
    assert found.tolist() == [[12, 8, 4, 0], [1, 5, 9, 13], [2, 6, 10, 14], [11, 7, 3, 15]]
    assert (reverse(reverse(xs, LENGTHS), LENGTHS) == xs).all()


def test_the_gradient_of_reversal_is_automatic_differentiation_s():
    xs, weights = random_like((jnp.ones((4, 4, 2)), jnp.ones((4, 4, 2))), seed=0)
    found = jax.grad(lambda xs: inner(reverse(xs, LENGTHS), weights))(xs)
    plain = jax.grad(lambda xs: inner(reverse.fun(xs, LENGTHS), weights))(xs)
    assert_close(found, plain)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_it_is_two_cells_that_meet(kind):
    layer = Bidirectional(random_cell(kind, 3, 5), random_like(random_cell(kind, 3, 5), seed=7))
    xs = random_like(jnp.ones((6, 2, 3)), seed=2)
    outputs, last = layer(xs, jnp.array([6, 6]))
    batch_first = jnp.swapaxes(xs, 0, 1)
    ahead, _ = unspool.unroll(layer.forward, batch_first)
    back, _ = unspool.unroll(layer.backward, batch_first[:, ::-1])
    expected = jnp.concatenate([ahead, back[:, ::-1]], axis=-1)
    assert_close(jnp.swapaxes(outputs, 0, 1), expected)
    assert_close(last, jnp.concatenate([ahead[:, -1], back[:, -1]], axis=-1))


def test_padded_equals_unpadded():
    layer = Bidirectional(random_cell("gru", 3, 5), random_like(random_cell("gru", 3, 5), seed=7))
    xs = random_like(jnp.ones((4, 4, 3)), seed=2)
    outputs, last = layer(xs, LENGTHS)
    for row in (0, 1, 3):
        length = int(LENGTHS[row])
        alone, alone_last = layer(xs[:length, row : row + 1], LENGTHS[row : row + 1])
        assert_close(outputs[:length, row : row + 1], alone)
        assert_close(last[row : row + 1], alone_last)
        assert not np.any(outputs[length:, row])


@needs_library
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(("batch", "hidden"), [(4, 5), (40, 130)])  # the second for threads
def test_both_directions_in_one_loop_are_two_loops(kind, batch, hidden):
    """Outputs, last states and all gradients, also that of first states that are not zero."""
    steps = 6
    cells = random_cell(kind, 3, hidden), random_like(random_cell(kind, 3, hidden), seed=7)
    states = [random_like(cell.initial_state(batch), seed=i) for i, cell in enumerate(cells)]
    xs = random_like(jnp.ones((steps, batch, 3)), seed=2)
    lengths = jnp.arange(batch) % (steps + 1)  # none of the steps, some, all

    def side_by_side(a, b):
        return jnp.concatenate([a, b], axis=-1)

    def together(cells, states, xs):
        joined = kernels.join_directions(*cells)
        state = jax.tree.map(side_by_side, *states)
        return kernels.run(joined, joined.project(xs), state, lengths)

    def apart(cells, states, xs):
        (ahead, last), (back, first) = (
            kernels.run(cell, cell.project(x), state, lengths)
            for cell, state, x in zip(cells, states, (xs, reverse(xs, lengths)), strict=True)
        )
        outputs = side_by_side(ahead, reverse(back, lengths))
        return outputs, jax.tree.map(side_by_side, last, first)

    found, pull = jax.vjp(together, cells, states, xs)
    expected, pull_apart = jax.vjp(apart, cells, states, xs)
    assert_close(found, expected)
    weights = random_like(found, seed=3)
    assert_close(pull(weights), pull_apart(weights), rtol=1e-4, atol=1e-4)


def test_unlike_cells_are_not_joined():
    assert kernels.join_directions(random_cell("gru", 3, 5), random_cell("gru", 3, 6)) is None
    assert kernels.join_directions(random_cell("gru", 3, 5), random_cell("lstm", 3, 5)) is None
