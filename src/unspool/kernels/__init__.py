"""Choose the program that runs a cell's time loop, and say why."""

from collections.abc import Callable
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
    "Programs",
    "backend_of",
    "join_directions",
    "one_by_one",
    "programs_of",
    "record",
    "register_program",
    "run",
    "scan_loop",
]


class Backend(NamedTuple):
    """The name of a time loop and the reason for its choice."""

    name: str
    reason: str


NATIVE, STORED_GATES, AUTODIFF = "native", "scan, stored gates", "scan, automatic gradients"


class Programs(NamedTuple):
    """How the loop of a class of cells can run besides by `scan_loop`.

    `weights(cell)` is what both programs are given of a cell. `stored_gates` runs everywhere,
    `native`, if there is one, on CPUs in float32.
    """

    weights: Callable[[Any], Any]
    stored_gates: Program
    native: Program | None = None


_PROGRAMS: dict[type[Cell], Programs] = {}


def register_program(cell_class: type[Cell], programs: Programs) -> None:
    """Let programs run the cells of exactly this class that have no layer norm.

    Subclasses, whose steps may be others, do not inherit them.
    """
    _PROGRAMS[cell_class] = programs


def programs_of(cell: Cell) -> Programs | None:
    """Return the programs that the cell's class has registered."""
    return _PROGRAMS.get(type(cell))


def _matrix(cell: Any) -> Weights:
    return Weights(cell.w_hh)


register_program(RNN, Programs(_matrix, RNN_SCAN, native.RNN_NATIVE))
register_program(LSTM, Programs(_matrix, LSTM_SCAN, native.LSTM_NATIVE))
register_program(
    GRU, Programs(lambda cell: Weights(cell.w_hh, cell.b_hn), GRU_SCAN, native.GRU_NATIVE)
)


def backend_of(cell: Cell) -> Backend:
    """Return the time loop that `run` chooses for a cell: native, if possible.

    The choice is made when a program is traced, from the cell, the default device and the type of
    the weights.
    """
    programs = programs_of(cell)
    if programs is None:
        return Backend(AUTODIFF, f"{type(cell).__name__} has no program of its own")
    if cell.has_layer_norm:
        return Backend(AUTODIFF, "layer norm")
    if programs.native is None:
        return Backend(STORED_GATES, f"{type(cell).__name__} has no native program")
    if jax.default_backend() != "cpu":
        return Backend(STORED_GATES, f"the device is {jax.default_backend()}, not a CPU")
    types = {str(leaf.dtype) for leaf in jax.tree.leaves(programs.weights(cell))}
    if types != {"float32"}:
        return Backend(STORED_GATES, f"weights are {', '.join(sorted(types))}")
    if library.why_not() is not None:
        return Backend(STORED_GATES, str(library.why_not()))
    return Backend(
        NATIVE, f"C++ kernels for {library.instruction_set()}, {library.threads()} threads"
    )


def _chosen(cell: Cell) -> tuple[Program, Any] | None:
    """The program that runs a cell and the weights that it is given; None for `scan_loop`."""
    programs, name = programs_of(cell), backend_of(cell).name
    if programs is None or name == AUTODIFF:
        return None
    program = programs.native if name == NATIVE else programs.stored_gates
    assert program is not None  # `backend_of` says native only if it is there
    return program, programs.weights(cell)


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
    chosen = [_chosen(forward), _chosen(backward)]
    if not alike or not all(one is not None and one[0].both_directions for one in chosen):
        return None
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), forward, backward)


def run(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State]:
    """Run all time steps of a cell over its projected inputs; return outputs and the last state."""
    chosen = _chosen(cell)
    if chosen is None:
        return scan_loop(cell, projected, state, lengths)
    program, weights = chosen
    return execute(program, projected, weights, state, lengths)


def record(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State, dict[str, Float[Array, "T B H"]]]:
    """Return what `run` returns, and by name every number of the state and every gate at every
    step.

    The names are those of the cell's `state_names` and `gate_names`; "h" is always there, and other
    arrays of a state have the names of its fields. The loop is that of training: if there is a
    `Program`, its forward pass, which stores the gates for the backward pass.
    """
    chosen = _chosen(cell)
    if chosen is None:
        return scan_record(cell, projected, state, lengths)
    program, weights = chosen
    hs, last, stored = program.forward(projected, weights, state, lengths)
    return hs, last, {"h": hs, **program.named(stored)}
