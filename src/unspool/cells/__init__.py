"""f_W, one step at a time."""

from typing import Any

from ..errors import ConfigError
from .base import Cell, State, project_inputs
from .gru import GRU, GRUState
from .lstm import LSTM, LSTMState
from .vanilla import RNN, RNNState

CELLS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


def cell_class(name: str) -> Any:
    """Return the built-in cell of this name. Raises ConfigError if there is none."""
    if name not in CELLS:
        raise ConfigError(f"cell must be one of {', '.join(CELLS)}, got {name!r}")
    return CELLS[name]


def cell_name(cell: Cell) -> str:
    """Return the name that `cell_class` knows a cell by; "own: CLASS" for a custom cell."""
    names: dict[type[Cell], str] = {kind: name for name, kind in CELLS.items()}
    return names.get(type(cell), f"own: {type(cell).__name__}")


__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "GRUState",
    "LSTMState",
    "RNNState",
    "State",
    "cell_class",
    "cell_name",
    "project_inputs",
]
