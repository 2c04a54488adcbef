"""Which program runs a cell's time loop, and why."""

from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, Int

from ..cells import GRU, LSTM, RNN, Cell, State
from .common import live_steps, where_live, zero_dead
from .gru import gru_loop
from .lstm import lstm_loop
from .vanilla import rnn_loop


class Backend(NamedTuple):
    """The name of a time loop and the reason for its choice."""

    name: str
    reason: str


STORED_GATES = Backend("scan, stored gates", "a built-in cell: its own backward pass")
AUTODIFF = Backend("scan, automatic gradients", "")


def backend_of(cell: Cell) -> Backend:
    """The time loop that `run` chooses for a cell."""
    if type(cell) not in (RNN, LSTM, GRU):
        return AUTODIFF._replace(reason=f"{type(cell).__name__} is not a built-in cell")
    if cell.norm is not None:  # type: ignore[attr-defined]
        return AUTODIFF._replace(reason="layer norm")
    return STORED_GATES


def run(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State]:
    """All time steps of a cell over its projected inputs: outputs and the last state."""
    if backend_of(cell) is STORED_GATES:
        match cell:
            case RNN():
                return rnn_loop(projected, cell.w_hh, state, lengths)
            case LSTM():
                return lstm_loop(projected, cell.w_hh, state, lengths)
            case GRU():
                return gru_loop(projected, cell.w_hh, cell.b_hn, state, lengths)
    return scan_loop(cell, projected, state, lengths)


def scan_loop(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State]:
    """The reference: `cell.step` under `lax.scan`, gradients by automatic differentiation."""

    def step(state: State, x: Any) -> tuple[State, Array]:
        projected, live = x
        new = cell.step(state, projected)
        return where_live(live, new, state), zero_dead(live, cell.output(new))

    last, outputs = jax.lax.scan(step, state, (projected, live_steps(lengths, len(projected))))
    return outputs, last
