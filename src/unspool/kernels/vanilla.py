"""The vanilla RNN's time loop with its own backward pass."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells.vanilla import RNNState
from .common import live_steps, previous, weight_gradient, where_live, zero_dead


@jax.custom_vjp
def rnn_loop(
    projected: Float[Array, "T B H"],
    w_hh: Float[Array, "H H"],
    state: RNNState,
    lengths: Int[Array, "B"] | None,
) -> tuple[Float[Array, "T B H"], RNNState]:
    """Outputs of all steps and the last state."""
    live = live_steps(lengths, len(projected))

    def step(h: Array, x: Any) -> tuple[Array, Array]:
        p, live = x
        h_new = jnp.tanh(p + h @ w_hh.T)
        return where_live(live, h_new, h), zero_dead(live, h_new)

    h, hs = jax.lax.scan(step, state.h, (projected, live))
    return hs, RNNState(h)


def _forward(projected: Array, w_hh: Array, state: RNNState, lengths: Array | None) -> Any:
    hs, last = rnn_loop(projected, w_hh, state, lengths)
    return (hs, last), (hs, w_hh, state, lengths)


def _backward(saved: Any, cotangents: Any) -> Any:
    hs, w_hh, state, lengths = saved
    dhs, d_last = cotangents
    live = live_steps(lengths, len(hs))

    def step(dh: Array, x: Any) -> tuple[Array, Array]:
        h, dh_out, live = x
        da = zero_dead(live, (dh + dh_out) * (1 - h * h))
        return where_live(live, da @ w_hh, dh), da

    dh, da = jax.lax.scan(step, d_last.h, (hs, dhs, live), reverse=True)
    return da, weight_gradient(da, previous(state.h, hs)), RNNState(dh), None


rnn_loop.defvjp(_forward, _backward)
