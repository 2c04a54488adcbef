"""The time loop: split = whole, padded = unpadded, ids = one-hot; stacks and their dropout."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import (
    KINDS,
    assert_close,
    assert_equal,
    create_leaky,
    inner,
    random_cell,
    random_like,
)

from unspool import Cell, ConfigError, LanguageModel, Stack, project_inputs, unroll
from unspool.bptt import carry
from unspool.kernels import run
from unspool.unroll import drop_recurrent_weights, locked_dropout

B, T, D, H = 3, 11, 2, 4
FULL, SHORT = 5, 2  # lengths of rows in the tests of padding

# One compiled program for every length of a chunk, so only a few lengths; all are odd in one
# sense or the other, and compositions of 11 out of them are many.
chunkings = st.lists(st.sampled_from([1, 2, 3, 5]), min_size=T, max_size=T).map(
    lambda parts: [part for part, end in zip(parts, np.cumsum(parts), strict=True) if end <= T]
)
all_cells = pytest.mark.parametrize("kind", [*KINDS, "leaky", "lstm with layer norm"])


def make_cell(kind: str) -> Cell:
    if kind == "leaky":
        return create_leaky(D, H, key=jax.random.key(1))
    return random_cell(kind.split()[0], D, H, layer_norm="norm" in kind)


def make_problem(cell: Cell, rows: int, steps: int) -> tuple[Any, Any, Any]:
    """Inputs, first state, and weights of the outputs in a loss; slices of NumPy's arrays
    need no compilation.
    """
    shapes = jnp.zeros((rows, steps, D)), cell.initial_state(rows), jnp.zeros((rows, steps, H))
    return jax.tree.map(np.asarray, random_like(shapes, seed=3))


def pieces(chunks: list[int]) -> list[slice]:
    """Where each chunk lies; what the chunks leave over comes in single steps."""
    chunks = chunks + [1] * (T - sum(chunks))
    ends = np.cumsum(chunks)
    return [slice(end - size, end) for size, end in zip(chunks, ends, strict=True)]


# --- split = whole ------------------------------------------------------------------------


@eqx.filter_jit
def chunk_gradients(cell: Cell, xs: Any, state: Any, weights: Any) -> Any:
    """One step of truncated backpropagation: outputs, next state, gradients."""

    def loss(cell: Cell, xs: Any, state: Any) -> Any:
        start = carry(state, cell.initial_state(B), jnp.array(False))
        outputs, last = unroll(cell, xs, start)
        return inner(outputs, weights), (outputs, last)

    gradients, (outputs, last) = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(cell, xs, state)
    return outputs, last, gradients


@eqx.filter_jit
def whole_gradients(cell: Cell, xs: Any, state: Any, weights: Any, cuts: Any) -> Any:
    """The whole sequence in one graph, step by step, that stops gradients at the cuts."""

    def loss(cell: Cell, xs: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            x, cut = x
            cut_state = jax.tree.map(
                lambda leaf: jnp.where(cut, jax.lax.stop_gradient(leaf), leaf), state
            )
            new = cell.step(cut_state, cell.project(x))
            return new, cell.output(new)

        last, outputs = jax.lax.scan(step, state, (jnp.swapaxes(xs, 0, 1), cuts))
        outputs = jnp.swapaxes(outputs, 0, 1)
        return inner(outputs, weights), (outputs, last)

    gradients, (outputs, last) = jax.grad(loss, argnums=(0, 1), has_aux=True)(cell, xs)
    return outputs, last, gradients


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(chunks=chunkings)
def test_split_equals_whole_with_the_gradient_cut_at_the_boundaries(kind: str, chunks: list[int]):
    cell = make_cell(kind)
    xs, first, weights = make_problem(cell, B, T)
    state, outputs, d_cell, d_xs = first, [], [], []
    for part in pieces(chunks):
        out, state, gradients = chunk_gradients(cell, xs[:, part], state, weights[:, part])
        gradients = jax.tree.map(np.asarray, gradients)
        outputs.append(np.asarray(out))
        d_cell.append(gradients[0])
        d_xs.append(gradients[1])
        assert not any(leaf.any() for leaf in jax.tree.leaves(gradients[2]))

    cuts = np.isin(np.arange(T), [part.start for part in pieces(chunks)])
    expected = whole_gradients(cell, xs, first, weights, cuts)
    summed = jax.tree.map(lambda *leaves: sum(leaves), *d_cell)
    found = np.concatenate(outputs, 1), state, (summed, np.concatenate(d_xs, 1))
    assert_close(found, expected, rtol=1e-5, atol=1e-5)


# --- padded = unpadded --------------------------------------------------------------------


@eqx.filter_jit
def results_and_gradients(cell: Cell, xs: Any, state: Any, weights: Any, lengths: Any) -> Any:
    """Outputs, last state, and the gradients of a loss that reads both, row by row."""

    def loss(cell: Cell, xs: Any, state: Any) -> Any:
        found = unroll(cell, xs, state, lengths)
        return inner(found, (weights, state_weights)), found

    state_weights = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.7), state)
    gradients, found = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(cell, xs, state)
    return found, gradients


@all_cells
def test_a_padded_batch_is_its_rows_alone(kind: str):
    cell, lengths = make_cell(kind), [FULL, SHORT, 0, SHORT]
    xs, state, weights = make_problem(cell, len(lengths), FULL)
    found, gradients = jax.tree.map(
        np.asarray, results_and_gradients(cell, xs, state, weights, jnp.array(lengths))
    )
    d_cell = jax.tree.map(np.zeros_like, gradients[0])
    for row, length in enumerate(lengths):
        mine, row_only = slice(row, row + 1), jax.tree.map(lambda x, r=row: x[r : r + 1], state)
        (outputs, last), (d_xs, d_state) = (
            jax.tree.map(lambda x, m=mine: x[m], tree) for tree in (found, gradients[1:])
        )
        assert not outputs[:, length:].any()
        assert not d_xs[:, length:].any()
        if length == 0:
            assert_equal(last, row_only)
            continue
        alone, expected = results_and_gradients(
            cell, xs[mine, :length], row_only, weights[mine, :length], None
        )
        assert_close((outputs[:, :length], last), alone)
        assert_close((d_xs[:, :length], d_state), expected[1:])
        d_cell = jax.tree.map(np.add, d_cell, expected[0])
    assert_close(gradients[0], d_cell)


# --- inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer_norm"])
def test_token_ids_are_one_hot_vectors(kind: str, layer_norm: bool):
    cell = random_cell(kind, 7, H, layer_norm=layer_norm)
    ids = jnp.array([[0, 6, 3], [5, 5, 1]])
    assert_close(cell.project(ids), cell.project(jax.nn.one_hot(ids, 7)))
    assert_close(project_inputs(ids, cell.w_ih), jax.nn.one_hot(ids, 7) @ cell.w_ih.T)


def test_without_a_state_it_starts_from_the_initial_one():
    cell = make_cell("gru")
    xs = make_problem(cell, B, T)[0]
    assert_equal(unroll(cell, xs), unroll(cell, xs, cell.initial_state(B)))


def test_the_example_of_the_docstring_runs():
    names: dict[str, Any] = {}
    exec("import unspool, jax, jax.numpy as jnp", names)
    for line in unroll.__doc__.splitlines():
        if line.strip().startswith(("cell =", "outputs,")):
            exec(line.strip(), names)
    assert names["outputs"].shape == (2, 5, 16)


@pytest.mark.parametrize(("state_rows", "lengths_rows"), [(4, 3), (1, 3), (3, 2)])
def test_batch_sizes_must_agree(state_rows: int, lengths_rows: int):
    cell = make_cell("lstm")
    state, lengths = cell.initial_state(state_rows), jnp.ones(lengths_rows, jnp.int32)
    with pytest.raises(ConfigError, match=r"input's batch size 3, got .*initial_state\(3\)"):
        unroll(cell, jnp.ones((3, 2, D)), state, lengths)


# --- stacks -------------------------------------------------------------------------------


class Copy(Cell):
    """Its outputs are its inputs, so that a stack of them shows its dropout masks."""

    hidden_size: int = eqx.field(static=True)

    def initial_state(self, batch: int) -> Any:
        return jnp.zeros((batch, self.hidden_size))

    def project(self, x: Any) -> Any:
        return x

    def step(self, state: Any, projected: Any) -> Any:
        return projected


def copies(layers: int, **rates: float) -> tuple[Stack, Any, Any]:
    """A stack of `Copy`, inputs of ones (T, B, H) and the initial state."""
    stack = Stack((Copy(50),) * layers, **rates)
    return stack, jnp.ones((3, 40, 50)), stack.initial_state(40)


def test_the_outputs_of_a_layer_are_the_inputs_of_the_next():
    cells = random_cell("lstm", D, H), random_cell("gru", H, H), random_cell("rnn", H, H)
    xs, lengths = random_like(jnp.zeros((2, T, D)), seed=3), jnp.array([T, 3])
    stack = Stack(cells)
    first = random_like(stack.initial_state(2), seed=2)
    expected, states = xs, []
    for cell, state in zip(cells, first, strict=True):
        expected, last = unroll(cell, expected, state, lengths)
        states.append(last)
    outputs, last = stack(cells[0].project(jnp.swapaxes(xs, 0, 1)), first, lengths)
    assert_close((jnp.swapaxes(outputs, 0, 1), last), (expected, tuple(states)))


def test_steps_are_the_sequence():
    stack = Stack((random_cell("lstm", D, H), random_cell("gru", H, H), random_cell("rnn", H, H)))
    projected = stack.cells[0].project(random_like(jnp.zeros((T, B, D)), seed=3))
    state = first = random_like(stack.initial_state(B), seed=2)
    outputs = []
    for x in projected:
        output, state = stack.step(x, state)
        outputs.append(output)
    assert_close((jnp.stack(outputs), state), stack(projected, first))


def test_a_step_adds_to_states_and_masks_outputs():
    stack, ones, state = copies(3)
    added = tuple(jnp.full((40, 50), value) for value in (1.0, 10.0, 100.0))
    masks = jnp.full((40, 50), 2.0), None, jnp.full((40, 50), 3.0)
    output, states = stack.step(ones[0], state, added=added, masks=masks)
    assert [float(layer[0, 0]) for layer in states] == [2, 14, 114]
    assert_equal(output, jnp.full((40, 50), 342.0))


def test_locked_dropout_has_one_mask_for_all_steps():
    stack, ones, state = copies(1, dropout=0.2)
    mask, _ = stack(ones, state, key=jax.random.key(0))
    assert_equal(mask, jnp.broadcast_to(mask[:1], mask.shape))
    np.testing.assert_allclose(np.unique(mask), [0, 1.25], rtol=1e-6)
    # 2,000 elements of a step are independent: across rows and across hidden units.
    assert abs(jnp.mean(mask[0] == 0) - 0.2) < 4 * (0.16 / 2000) ** 0.5
    assert jnp.any(mask[0, 0] != mask[0, 1])
    assert jnp.any(mask[0, :, 0] != mask[0, :, 1])


def test_the_masks_of_two_layers_are_independent():
    stack, ones, state = copies(2, dropout=0.5)
    product, _ = stack(ones, state, key=jax.random.key(0))
    assert set(np.unique(product)) == {0, 4}
    assert abs(jnp.mean(product[0] == 4) - 0.25) < 4 * (0.19 / 2000) ** 0.5


def test_dropout_keeps_the_expectation():
    x = random_like(jnp.zeros((1, 2, 3)), seed=3, scale=1.0)
    keys = jax.random.split(jax.random.key(0), 4000)
    draws = jax.vmap(lambda key: locked_dropout(x, 0.3, key))(keys)
    tolerance = 4.5 * jnp.abs(x) * (0.3 / 0.7 / len(keys)) ** 0.5
    assert (jnp.abs(jnp.mean(draws, 0) - x) < tolerance).all()


def test_weight_drop_sets_recurrent_weights_to_zero_and_scales_the_rest():
    cell = random_cell("lstm", D, 20)
    dropped = drop_recurrent_weights(cell, 0.4, jax.random.key(0))
    kept = dropped.w_hh != 0
    assert_close(dropped.w_hh[kept], cell.w_hh[kept] / 0.6)
    assert (kept.any(0) & ~kept.all(0)).all()  # single elements, not whole columns or rows
    assert (kept.any(1) & ~kept.all(1)).all()
    assert abs(jnp.mean(kept) - 0.6) < 4 * (0.24 / kept.size) ** 0.5
    assert_equal((dropped.w_ih, dropped.bias), (cell.w_ih, cell.bias))


def test_weight_drop_acts_on_every_layer_of_a_stack():
    cells = random_cell("gru", D, H), random_cell("gru", H, H)
    stack = Stack(cells, weight_drop=0.5)
    projected = cells[0].project(random_like(jnp.zeros((T, B, D)), seed=3))
    first = stack.initial_state(B)
    outputs, _ = stack(projected, first)
    dropped, states = stack(projected, first, key=jax.random.key(0))
    # From a state of zeros, W_hh plays no part in the first step.
    assert_equal(dropped[0], outputs[0])
    assert not np.allclose(dropped[1], outputs[1])
    lower, _ = Stack(cells[:1], weight_drop=0.5)(projected, first[:1], key=jax.random.key(0))
    undropped, _ = run(cells[1], cells[1].project(lower), first[1])
    assert not np.allclose(states[1].h, undropped[-1])


def test_nothing_is_dropped_without_a_key():
    stack, ones, state = copies(2, dropout=0.5, weight_drop=0.5)
    assert_equal(stack(ones, state)[0], ones)
    assert_equal(locked_dropout(ones, 0.5, None), ones)


def test_a_key_draws_the_same_mask_again():
    stack, ones, state = copies(1, dropout=0.5)
    first, again, other = (stack(ones, state, key=jax.random.key(k))[0] for k in (1, 1, 2))
    assert_equal(first, again)
    assert not np.array_equal(first, other)


def test_weight_drop_needs_recurrent_weights():
    stack, ones, state = copies(1, weight_drop=0.5)
    with pytest.raises(ConfigError, match="weight_drop needs a cell with a w_hh, got Copy"):
        stack(ones, state, key=jax.random.key(0))


@pytest.mark.parametrize("name", ["dropout", "weight_drop"])
@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_rates_must_be_at_least_0_and_below_1(name: str, rate: float):
    with pytest.raises(ConfigError, match=f"{name} must be at least 0 and below 1, got"):
        LanguageModel.create(5, hidden_size=2, **{name: rate})
