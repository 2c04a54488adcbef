"""Public entry to the time loop; `kernels` runs it."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from . import kernels
from .cells import Cell, State
from .errors import ConfigError


def unroll(
    cell: Cell,
    xs: Float[Array, "B T D"] | Int[Array, "B T"],
    state: State | None = None,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "B T H"], State]:
    """Compute h_t = f_W(h_{t-1}, x_t) for t = 1..T, with the same cell at every step.

    The input half of the cell is computed for all steps at once; the recurrent half runs
    in the time loop that `kernels.backend_of(cell)` names.

    With `lengths`, row b takes part in its first `lengths[b]` steps: then its state is held and its
    outputs are zero, so that a padded batch gives exactly the outputs, states and gradients of its
    rows run alone (as long as the padding is finite).

    Returns the outputs of all steps and the last state. Without `state` it starts from
    `cell.initial_state(B)`. Raises ConfigError if batch sizes disagree.

        cell = unspool.LSTM.create(input_size=8, hidden_size=16, key=jax.random.key(0))
        outputs, state = unspool.unroll(cell, jnp.ones((2, 5, 8)))
    """
    batch = xs.shape[0]
    state = cell.initial_state(batch) if state is None else state
    check_batch(batch, state=state, lengths=lengths)
    projected = cell.project(jnp.swapaxes(xs, 0, 1))
    outputs, state = kernels.run(cell, projected, state, lengths)
    return jnp.swapaxes(outputs, 0, 1), state


class Stack(eqx.Module):
    """Layers of cells: the outputs of one are the inputs of the next.

    `dropout` acts on the outputs of every layer, with one mask for all time steps of a call (locked
    dropout: Gal and Ghahramani 2016, arXiv 1512.05287, but not on h_{t-1}; the name is from Merity
    et al. 2018, arXiv 1708.02182). `weight_drop` sets elements of every W_hh to zero for a call
    (DropConnect on the recurrent weights: Merity et al. 2018). Both act only if a `key` is given.
    """

    cells: tuple[Cell, ...]
    dropout: float = eqx.field(static=True, default=0.0)
    weight_drop: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_rates(dropout=self.dropout, weight_drop=self.weight_drop)

    def initial_state(self, batch: int) -> tuple[State, ...]:
        return tuple(cell.initial_state(batch) for cell in self.cells)

    def __call__(
        self,
        projected: Float[Array, "T B P"],
        state: tuple[State, ...],
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "T B H"], tuple[State, ...]]:
        """Run all layers, time-major: from the first cell's projected inputs to the last one's
        outputs.
        """
        states = []
        outputs = projected
        for layer, (cell, layer_state) in enumerate(zip(self.cells, state, strict=True)):
            k_weights, k_outputs = _split(key, layer)
            inputs = outputs if layer == 0 else cell.project(outputs)
            cell = drop_recurrent_weights(cell, self.weight_drop, k_weights)
            outputs, layer_state = kernels.run(cell, inputs, layer_state, lengths)
            outputs = locked_dropout(outputs, self.dropout, k_outputs)
            states.append(layer_state)
        return outputs, tuple(states)

    def step(
        self,
        projected: Float[Array, "B P"],
        state: tuple[State, ...],
        *,
        added: tuple[State, ...] | None = None,
        masks: Sequence[Float[Array, "B H"] | None] | None = None,
    ) -> tuple[Float[Array, "B H"], tuple[State, ...]]:
        """Run one time step: from the first cell's projected input to the last cell's output.

        `added` is added to each layer's new state; the gradients with respect to states are those
        of added zeros. Each layer's output is multiplied by its mask of `masks`.
        """
        states, h = [], projected
        for layer, (cell, before) in enumerate(zip(self.cells, state, strict=True)):
            after = cell.step(before, h if layer == 0 else cell.project(h))
            if added is not None:
                after = jax.tree.map(jnp.add, after, added[layer])
            states.append(after)
            h = cell.output(after)
            mask = None if masks is None else masks[layer]
            h = h if mask is None else h * mask
        return h, tuple(states)


def locked_dropout(
    x: Float[Array, "T B H"], rate: float, key: PRNGKeyArray | None
) -> Float[Array, "T B H"]:
    """Return x times a mask of 0 and 1/(1-rate) that is the same at every step."""
    if key is None or rate == 0:
        return x
    return x * _mask(key, rate, (1, *x.shape[1:]))


def drop_recurrent_weights(cell: Cell, rate: float, key: PRNGKeyArray | None) -> Cell:
    """Return the cell with elements of W_hh set to zero and the rest scaled by 1/(1-rate)."""
    if key is None or rate == 0:
        return cell
    if not cell.recurrent_weights:
        name = type(cell).__name__
        raise ConfigError(f"weight_drop needs a cell that says its recurrent_weights, got {name}")
    return eqx.tree_at(
        lambda c: c.recurrent_weights, cell, replace_fn=lambda w: w * _mask(key, rate, w.shape)
    )


def check_batch(batch: int, state: State, lengths: Array | None = None) -> None:
    """Raise ConfigError unless state (and lengths) have the batch size of the input."""
    for leaf in [*jax.tree.leaves(state), *([] if lengths is None else [lengths])]:
        if leaf.shape[:1] != (batch,):
            raise ConfigError(
                f"state and lengths must have the input's batch size {batch}, "
                f"got an array of shape {leaf.shape}: start from initial_state({batch})"
            )


def check_rates(**rates: float) -> None:
    """Raise ConfigError unless every rate is at least 0 and below 1."""
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise ConfigError(f"{name} must be at least 0 and below 1, got {rate}")


def _mask(key: PRNGKeyArray, rate: float, shape: tuple[int, ...]) -> Float[Array, "..."]:
    return jax.random.bernoulli(key, 1 - rate, shape) / (1 - rate)


def _split(key: PRNGKeyArray | None, layer: int) -> tuple[PRNGKeyArray | None, ...]:
    return (None, None) if key is None else tuple(jax.random.split(jax.random.fold_in(key, layer)))
