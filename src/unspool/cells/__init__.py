"""f_W, one step at a time."""

from .base import Cell, State, project_inputs
from .gru import GRU, GRUState
from .lstm import LSTM, LSTMState
from .vanilla import RNN, RNNState

CELLS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}

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
    "project_inputs",
]
