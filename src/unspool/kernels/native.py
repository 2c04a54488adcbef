"""Time loops in C++ (native/), which XLA calls inside compiled programs on the CPU.

From step `lengths[b]` on, row b keeps its state, and its outputs, stored gates and gradients are
zero.

With weights (2*P, H) and states (B, 2*H) the loops also run a second cell backwards in time, from
each row's last step to its first. Its columns follow the first cell's in all arrays, its rows in
weights.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from ..cells import Cell
from ..cells.gru import GRU, GRUState
from ..cells.lstm import LSTM, LSTMState
from ..cells.vanilla import RNNState
from ..library import call, shape
from .program import Program, Weights


def _lengths(lengths: Array | None, projected: Array) -> Array:
    steps, batch, _ = projected.shape
    return jnp.full(batch, steps, jnp.int32) if lengths is None else lengths.astype(jnp.int32)


def _shapes(sequence: Array, state: Array) -> tuple[Any, Any, Any]:
    """Of (T, B, H), (B, H) and (T, B, P)."""
    steps, batch, columns = sequence.shape
    hidden = state.shape[-1]
    return shape(steps, batch, hidden), shape(batch, hidden), shape(steps, batch, columns)


def _weight_gradient(
    d_recurrent: Array, hs: Array, h0: Array, lengths: Any, weights: Weights
) -> tuple[Array, Array]:
    """Return dW_hh, and `d_recurrent` again so that later operations depend on it."""
    results = shape(*weights.w_hh.shape), shape(*d_recurrent.shape)
    arguments = (d_recurrent, hs, h0, _lengths(lengths, hs))
    return call("weight_gradient", results, *arguments, reuse={0: 1})


def _rnn_forward(projected: Array, weights: Weights, state: RNNState, lengths: Any) -> Any:
    hs, last = _rnn_outputs(projected, weights, state, lengths)
    return hs, last, None


def _rnn_outputs(projected: Array, weights: Weights, state: RNNState, lengths: Any) -> Any:
    sequence, last, _ = _shapes(projected, state.h)
    arguments = (projected, weights.w_hh, state.h, _lengths(lengths, projected))
    hs, h = call("rnn_forward", (sequence, last), *arguments, reuse={0: 0})
    return hs, RNNState(h)


def _rnn_backward(
    stored: None, hs: Array, weights: Weights, state: RNNState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    sequence, last, _ = _shapes(hs, state.h)
    arguments = (hs, weights.w_hh, _lengths(lengths, hs), d_hs, d_last.h)
    da, dh = call("rnn_backward", (sequence, last), *arguments, reuse={3: 0})
    d_w_hh, da = _weight_gradient(da, hs, state.h, lengths, weights)
    return da, Weights(d_w_hh), RNNState(dh)


def _lstm_outputs(projected: Array, weights: Weights, state: LSTMState, lengths: Any) -> Any:
    sequence, last, _ = _shapes(projected, state.h)
    arguments = (projected, weights.w_hh, *state, _lengths(lengths, projected))
    hs, h, c = call("lstm_inference", (sequence, last, last), *arguments)
    return hs, LSTMState(h, c)


def _lstm_forward(projected: Array, weights: Weights, state: LSTMState, lengths: Any) -> Any:
    sequence, last, gates = _shapes(projected, state.h)
    arguments = (projected, weights.w_hh, *state, _lengths(lengths, projected))
    results = (sequence, sequence, gates, last, last)
    hs, cs, gates, h, c = call("lstm_forward", results, *arguments, reuse={0: 2})
    return hs, LSTMState(h, c), (gates, cs)


def _lstm_backward(
    stored: Any, hs: Array, weights: Weights, state: LSTMState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    gates, cs = stored
    _, last, projected = _shapes(gates, state.h)
    arguments = (gates, cs, state.c, weights.w_hh, _lengths(lengths, gates), d_hs, *d_last)
    da, dh, dc = call("lstm_backward", (projected, last, last), *arguments, reuse={0: 0})
    d_w_hh, da = _weight_gradient(da, hs, state.h, lengths, weights)
    return da, Weights(d_w_hh), LSTMState(dh, dc)


def _gru_outputs(projected: Array, weights: Weights, state: GRUState, lengths: Any) -> Any:
    sequence, last, _ = _shapes(projected, state.h)
    arguments = (projected, *weights, state.h, _lengths(lengths, projected))
    hs, h = call("gru_inference", (sequence, last), *arguments)
    return hs, GRUState(h)


def _gru_forward(projected: Array, weights: Weights, state: GRUState, lengths: Any) -> Any:
    sequence, last, gates = _shapes(projected, state.h)
    arguments = (projected, *weights, state.h, _lengths(lengths, projected))
    results = (sequence, gates, sequence, last)
    hs, gates, hn, h = call("gru_forward", results, *arguments, reuse={0: 1})
    return hs, GRUState(h), (gates, hn)


def _gru_backward(
    stored: Any, hs: Array, weights: Weights, state: GRUState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    gates, hn = stored
    _, last, projected = _shapes(gates, state.h)
    arguments = (gates, hn, hs, state.h, weights.w_hh, _lengths(lengths, gates), d_hs, d_last.h)
    results = (projected, projected, last, last)
    d_projected, d_recurrent, d_b_hn, dh = call("gru_backward", results, *arguments, reuse={0: 0})
    d_w_hh, _ = _weight_gradient(d_recurrent, hs, state.h, lengths, weights)
    return d_projected, Weights(d_w_hh, d_b_hn.sum(0)), GRUState(dh)


def _lstm_named(stored: Any) -> dict[str, Array]:
    gates, cs = stored
    return {"c": cs, **_split(LSTM, gates)}


def _gru_named(stored: Any) -> dict[str, Array]:
    gates, _hn = stored
    return _split(GRU, gates)


def _split(cell: type[Cell], gates: Array) -> dict[str, Array]:
    parts = jnp.split(gates, len(cell.gate_names), axis=-1)
    return dict(zip(cell.gate_names, parts, strict=True))


RNN_NATIVE = Program(_rnn_outputs, _rnn_forward, _rnn_backward, both_directions=True)
LSTM_NATIVE = Program(
    _lstm_outputs, _lstm_forward, _lstm_backward, _lstm_named, both_directions=True
)
GRU_NATIVE = Program(_gru_outputs, _gru_forward, _gru_backward, _gru_named, both_directions=True)
