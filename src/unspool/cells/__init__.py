"""f_W, one step at a time."""

from .base import Cell, Quantity, State, project_inputs
from .gru import GRU, GRUState
from .lstm import LSTM, LSTMState
from .names import CELLS, CreateCell, cell_class, cell_factory, cell_name, is_own, is_same_cell
from .vanilla import RNN, RNNState

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "CreateCell",
    "GRUState",
    "LSTMState",
    "Quantity",
    "RNNState",
    "State",
    "cell_class",
    "cell_factory",
    "cell_name",
    "is_own",
    "is_same_cell",
    "project_inputs",
]
