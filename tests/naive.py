"""Recurrent cells written for the eye: float64 NumPy, one row, one step, one gate at a time."""

from typing import Any

import numpy as np


def unroll(cell: Any, xs: Any, state: Any, lengths: Any = None) -> tuple[np.ndarray, Any]:
    """Outputs (B, T, H), zero after a row's end, and the last state, each row on its own."""
    step = {"RNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step}[type(cell).__name__]
    rows, steps = xs.shape[:2]
    outputs = np.zeros((rows, steps, cell.hidden_size))
    last = []
    for row in range(rows):
        row_state = tuple(leaf[row] for leaf in state)
        for t in range(steps if lengths is None else lengths[row]):
            row_state = step(cell, xs[row, t], *row_state)
            outputs[row, t] = row_state[0]
        last.append(row_state)
    return outputs, type(state)(*(np.stack(leaf) for leaf in zip(*last, strict=True)))


def rnn_step(cell: Any, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray]:
    return (np.tanh(from_input(cell, cell.norm, 0, x) + from_state(cell, cell.norm, 0, h)),)


def lstm_step(cell: Any, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    norm = cell.norm.gates if cell.norm else None
    i = sigmoid(from_input(cell, norm, 0, x) + from_state(cell, norm, 0, h))
    f = sigmoid(from_input(cell, norm, 1, x) + from_state(cell, norm, 1, h))
    g = np.tanh(from_input(cell, norm, 2, x) + from_state(cell, norm, 2, h))
    o = sigmoid(from_input(cell, norm, 3, x) + from_state(cell, norm, 3, h))
    c = f * c + i * g
    seen = cell.norm.gain_c * normalise(c) + cell.norm.bias_c if cell.norm else c
    return o * np.tanh(seen), c


def gru_step(cell: Any, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray]:
    norm = cell.norm
    r = sigmoid(from_input(cell, norm, 0, x) + from_state(cell, norm, 0, h))
    z = sigmoid(from_input(cell, norm, 1, x) + from_state(cell, norm, 1, h))
    n = np.tanh(from_input(cell, norm, 2, x) + r * (from_state(cell, norm, 2, h) + cell.b_hn))
    return ((1 - z) * n + z * h,)


def from_input(cell: Any, norm: Any, gate: int, x: np.ndarray) -> np.ndarray:
    """One gate's input half: W x (normalised, times its gain) + b."""
    rows = slice(gate * cell.hidden_size, (gate + 1) * cell.hidden_size)
    product = cell.w_ih[rows] @ x
    return (norm.gain_ih[gate] * normalise(product) if norm else product) + cell.bias[rows]


def from_state(cell: Any, norm: Any, gate: int, h: np.ndarray) -> np.ndarray:
    """One gate's recurrent half: W h (normalised, times its gain)."""
    product = cell.w_hh[gate * cell.hidden_size : (gate + 1) * cell.hidden_size] @ h
    return norm.gain_hh[gate] * normalise(product) if norm else product


def normalise(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
