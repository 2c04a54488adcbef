"""Time loops under `lax.scan`: the reference, and the built-in cells with stored gates."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells import GRU, LSTM, Cell, State, gru, lstm
from ..cells.base import state_arrays
from ..cells.gru import GRUState
from ..cells.lstm import LSTMState
from ..cells.vanilla import RNNState
from .masks import live_steps, where_live, zero_dead
from .program import Program, Weights, previous, weight_gradient


def scan_loop(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State]:
    """Run the reference: `cell.step` under `lax.scan`, with automatic gradients."""

    def step(state: State, x: Any) -> tuple[State, Array]:
        projected, live = x
        new = cell.step(state, projected)
        return where_live(live, new, state), zero_dead(live, cell.output(new))

    last, outputs = jax.lax.scan(step, state, (projected, live_steps(lengths, len(projected))))
    return outputs, last


def scan_record(
    cell: Cell,
    projected: Float[Array, "T B P"],
    state: State,
    lengths: Int[Array, "B"] | None = None,
) -> tuple[Float[Array, "T B H"], State, dict[str, Array]]:
    """Run `scan_loop`, and return every state and the `cell.gates` of every step.

    The loop is the same except for the states it returns, so it computes the same bits; the gates
    are computed after it, from the states before each step. In padding the last state is kept. "h"
    is the output if the state has no h.
    """

    def step(state: State, x: Any) -> tuple[State, Any]:
        projected, live = x
        new = cell.step(state, projected)
        new_or_old = where_live(live, new, state)
        return new_or_old, (zero_dead(live, cell.output(new)), new_or_old)

    steps = (projected, live_steps(lengths, len(projected)))
    last, (outputs, states) = jax.lax.scan(step, state, steps)
    before = jax.tree.map(previous, state, states)
    made = {"h": outputs, **state_arrays(states), **jax.vmap(cell.gates)(before, projected)}
    return outputs, last, {name: a.reshape(*a.shape[:2], -1) for name, a in made.items()}


def _program(step: Any, backward: Any, named: Any = lambda stored: {}) -> Program:
    """Build a program from a step, `step(state, p, weights) -> (state, stored)`, and a backward."""

    def forward(projected: Array, weights: Weights, state: State, lengths: Any) -> Any:
        def one(state: State, x: Any) -> tuple[State, Any]:
            p, live = x
            new, stored = step(state, p, weights)
            return where_live(live, new, state), (zero_dead(live, new.h), stored)

        live = live_steps(lengths, len(projected))
        last, (hs, stored) = jax.lax.scan(one, state, (projected, live))
        return hs, last, stored

    def outputs(projected: Array, weights: Weights, state: State, lengths: Any) -> Any:
        hs, last, _ = forward(projected, weights, state, lengths)
        return hs, last

    return Program(outputs, forward, backward, named)


def _rnn_step(state: RNNState, p: Array, weights: Weights) -> Any:
    return RNNState(jnp.tanh(p + state.h @ weights.w_hh.T)), None


def _rnn_backward(
    stored: None, hs: Array, weights: Weights, state: RNNState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    def step(dh: Array, x: Any) -> tuple[Array, Array]:
        h, dh_out, live = x
        da = zero_dead(live, (dh + dh_out) * (1 - h * h))
        return where_live(live, da @ weights.w_hh, dh), da

    xs = (hs, d_hs, live_steps(lengths, len(hs)))
    dh, da = jax.lax.scan(step, d_last.h, xs, reverse=True)
    return da, Weights(weight_gradient(da, state.h, hs)), RNNState(dh)


def _lstm_step(state: LSTMState, p: Array, weights: Weights) -> Any:
    i, f, g, o = gates = lstm.activate(p + state.h @ weights.w_hh.T)
    c = f * state.c + i * g
    return LSTMState(o * jnp.tanh(c), c), (gates, c)


def _lstm_backward(
    stored: Any, hs: Array, weights: Weights, state: LSTMState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    gates, cs = stored

    def step(carry: LSTMState, x: Any) -> tuple[LSTMState, Array]:
        dh_out, (i, f, g, o), c, c_prev, live = x
        dh = carry.h + dh_out
        tanh_c = jnp.tanh(c)
        dc = carry.c + dh * o * (1 - tanh_c * tanh_c)
        d_i, d_f = dc * g * i * (1 - i), dc * c_prev * f * (1 - f)
        d_g, d_o = dc * i * (1 - g * g), dh * tanh_c * o * (1 - o)
        da = zero_dead(live, jnp.concatenate([d_i, d_f, d_g, d_o], axis=-1))
        return where_live(live, LSTMState(da @ weights.w_hh, dc * f), carry), da

    xs = (d_hs, gates, cs, previous(state.c, cs), live_steps(lengths, len(hs)))
    d_state, da = jax.lax.scan(step, d_last, xs, reverse=True)
    return da, Weights(weight_gradient(da, state.h, hs)), d_state


def _gru_step(state: GRUState, p: Array, weights: Any) -> Any:
    _, z, n, _ = gates = gru.activate(p, state.h @ weights.w_hh.T, weights.b_hn)
    return GRUState((1 - z) * n + z * state.h), gates


def _gru_backward(
    stored: Any, hs: Array, weights: Weights, state: GRUState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    def step(dh: Array, x: Any) -> tuple[Array, tuple[Array, Array]]:
        dh_out, (r, z, n, hn), h_prev, live = x
        dh_new = dh + dh_out
        d_n = dh_new * (1 - z) * (1 - n * n)
        d_z = dh_new * (h_prev - n) * z * (1 - z)
        d_r = d_n * hn * r * (1 - r)
        d_projected = zero_dead(live, jnp.concatenate([d_r, d_z, d_n], axis=-1))
        d_recurrent = zero_dead(live, jnp.concatenate([d_r, d_z, r * d_n], axis=-1))
        dh_prev = dh_new * z + d_recurrent @ weights.w_hh
        return where_live(live, dh_prev, dh), (d_projected, d_recurrent)

    xs = (d_hs, stored, previous(state.h, hs), live_steps(lengths, len(hs)))
    dh, (d_projected, d_recurrent) = jax.lax.scan(step, d_last.h, xs, reverse=True)
    d_b_hn = jnp.sum(jnp.split(d_recurrent, 3, axis=-1)[2], axis=(0, 1))
    d_weights = Weights(weight_gradient(d_recurrent, state.h, hs), d_b_hn)
    return d_projected, d_weights, GRUState(dh)


def _lstm_named(stored: Any) -> dict[str, Array]:
    gates, cs = stored
    return {"c": cs, **dict(zip(LSTM.gate_names, gates, strict=True))}


def _gru_named(stored: Any) -> dict[str, Array]:
    *gates, _hn = stored
    return dict(zip(GRU.gate_names, gates, strict=True))


RNN_SCAN = _program(_rnn_step, _rnn_backward)
LSTM_SCAN = _program(_lstm_step, _lstm_backward, _lstm_named)
GRU_SCAN = _program(_gru_step, _gru_backward, _gru_named)
