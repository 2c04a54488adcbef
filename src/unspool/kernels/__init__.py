"""Choose the program that runs a cell's time loop, and say why."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .. import library
from ..cells import GRU, LSTM, RNN, Cell, State
from . import native
from .program import Program, Weights, execute
from .scan import GRU_SCAN, LSTM_SCAN, RNN_SCAN, scan_loop, scan_record

__all__ = [
    "NATIVE",
    "Backend",
    "backend_of",
    "join_directions",
    "one_by_one",
    "record",
    "run",
    "scan_loop",
]


class Backend(NamedTuple):
    """The name of a time loop and the reason for its choice."""

    name: str
    reason: str


NATIVE, STORED_GATES, AUTODIFF = "native", "scan, stored gates", "scan, automatic gradients"

PROGRAMS: dict[tuple[str, type[Cell]], Program] = {
    (NATIVE, RNN): native.RNN_NATIVE,
    (NATIVE, LSTM): native.LSTM_NATIVE,
    (NATIVE, GRU): native.GRU_NATIVE,
    (STORED_GATES, RNN): RNN_SCAN,
    (STORED_GATES, LSTM): LSTM_SCAN,
    (STORED_GATES, GRU): GRU_SCAN,
}


def backend_of(cell: Cell) -> Backend:
    """Return the time loop that `run` chooses for a cell: native, if possible.

    The choice is made when a program is traced, from the cell, the default device and the type of
    the weights.
    """
    if type(cell) not in (RNN, LSTM, GRU):
        return Backend(AUTODIFF, f"{type(cell).__name__} is not a built-in cell")
    if cell.norm is not None:  # type: ignore[attr-defined]
        return Backend(AUTODIFF, "layer norm")
    if jax.default_backend() != "cpu":
        return Backend(STORED_GATES, f"the device is {jax.default_backend()}, not a CPU")
    if cell.w_hh.dtype != jnp.float32:  # type: ignore[attr-defined]
        return Backend(STORED_GATES, f"weights are {cell.w_hh.dtype}")  # type: ignore[attr-defined]
    if library.why_not() is not None:
        return Backend(STORED_GATES, str(library.why_not()))
    return Backend(
        NATIVE, f"C++ kernels for {library.instruction_set()}, {library.threads()} threads"
    )


def one_by_one(cell: Cell) -> Backend:
    """Return the time loop of a model that calls `step` itself, as its input depends on the
    state.
    """
    return Backend(AUTODIFF, "the next input depends on the state")


def join_directions(forward: Cell, backward: Cell) -> Cell | None:
    """Join two cells into one for `run`, with states side by side, if its loop takes both at once.

    The second cell then runs backwards in time. Returns None if there is no such loop.
    """
    alike = type(forward) is type(backward) and forward.hidden_size == backward.hidden_size
    if not alike or backend_of(forward).name != NATIVE or backend_of(backward).name != NATIVE:
        return None
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), forward, backward)


def run(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State]:
    """Run all time steps of a cell over its projected inputs; return outputs and the last state."""
    program = PROGRAMS.get((backend_of(cell).name, type(cell)))
    if program is None:
        return scan_loop(cell, projected, state, lengths)
    return execute(program, projected, _weights(cell), state, lengths)


def record(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State, dict[str, Float[Array, "T B H"]]]:
    """Return what `run` returns, and by name every number of the state and every gate at every
    step.

    RNN: h. LSTM: h, c, i, f, g, o. GRU: h, r, z, n. A custom cell: the fields of its state ("h" if
    it is one array), and its `gates`. The loop is that of training: if there is a `Program`, its
    forward pass, which stores the gates for the backward pass.
    """
    program = PROGRAMS.get((backend_of(cell).name, type(cell)))
    if program is None:
        return scan_record(cell, projected, state, lengths)
    hs, last, stored = program.forward(projected, _weights(cell), state, lengths)
    return hs, last, {"h": hs, **_stored(cell, stored)}


def _weights(cell: Any) -> Weights:
    return Weights(cell.w_hh, getattr(cell, "b_hn", None))


def _stored(cell: Cell, stored: Any) -> dict[str, Array]:
    """Name what a forward pass stores for the backward pass."""
    if isinstance(cell, LSTM):
        gates, cs = stored
        return {"c": cs, **_gates("ifgo", gates)}
    if isinstance(cell, GRU):
        native = len(stored) == 2  # all gates in one array, and hn
        return _gates("rzn", stored[0] if native else stored[:3])
    return {}


def _gates(names: str, gates: Any) -> dict[str, Array]:
    parts = gates if isinstance(gates, tuple) else jnp.split(gates, len(names), axis=-1)
    return dict(zip(names, parts, strict=True))
