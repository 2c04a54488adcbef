"""The LSTM's time loop with its own backward pass."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells.lstm import LSTMState, activate
from .common import live_steps, previous, weight_gradient, where_live, zero_dead


@jax.custom_vjp
def lstm_loop(
    projected: Float[Array, "T B 4*H"],
    w_hh: Float[Array, "4*H H"],
    state: LSTMState,
    lengths: Int[Array, "B"] | None,
) -> tuple[Float[Array, "T B H"], LSTMState]:
    """Outputs of all steps and the last state."""

    def step(state: LSTMState, x: Any) -> tuple[LSTMState, Array]:
        p, live = x
        new, _ = _step(state, p, w_hh)
        return where_live(live, new, state), zero_dead(live, new.h)

    last, hs = jax.lax.scan(step, state, (projected, live_steps(lengths, len(projected))))
    return hs, last


def _step(state: LSTMState, p: Array, w_hh: Array) -> tuple[LSTMState, tuple[Array, ...]]:
    gates = activate(p + state.h @ w_hh.T)
    i, f, g, o = gates
    c = f * state.c + i * g
    return LSTMState(o * jnp.tanh(c), c), gates


def _forward(projected: Array, w_hh: Array, state: LSTMState, lengths: Array | None) -> Any:
    def step(state: LSTMState, x: Any) -> tuple[LSTMState, Any]:
        p, live = x
        new, gates = _step(state, p, w_hh)
        return where_live(live, new, state), (zero_dead(live, new.h), new.c, gates)

    live = live_steps(lengths, len(projected))
    last, (hs, cs, gates) = jax.lax.scan(step, state, (projected, live))
    return (hs, last), (hs, cs, gates, w_hh, state, lengths)


def _backward(saved: Any, cotangents: Any) -> Any:
    hs, cs, gates, w_hh, state, lengths = saved
    dhs, d_last = cotangents

    def step(carry: LSTMState, x: Any) -> tuple[LSTMState, Array]:
        dh_out, (i, f, g, o), c, c_prev, live = x
        dh = carry.h + dh_out
        tanh_c = jnp.tanh(c)
        dc = carry.c + dh * o * (1 - tanh_c * tanh_c)
        d_i, d_f = dc * g * i * (1 - i), dc * c_prev * f * (1 - f)
        d_g, d_o = dc * i * (1 - g * g), dh * tanh_c * o * (1 - o)
        da = zero_dead(live, jnp.concatenate([d_i, d_f, d_g, d_o], axis=-1))
        return where_live(live, LSTMState(da @ w_hh, dc * f), carry), da

    xs = (dhs, gates, cs, previous(state.c, cs), live_steps(lengths, len(hs)))
    d_state, da = jax.lax.scan(step, d_last, xs, reverse=True)
    return da, weight_gradient(da, previous(state.h, hs)), d_state, None


lstm_loop.defvjp(_forward, _backward)
