"""The GRU's time loop with its own backward pass."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells.gru import GRUState, activate
from .common import live_steps, previous, weight_gradient, where_live, zero_dead


@jax.custom_vjp
def gru_loop(
    projected: Float[Array, "T B 3*H"],
    w_hh: Float[Array, "3*H H"],
    b_hn: Float[Array, "H"],
    state: GRUState,
    lengths: Int[Array, "B"] | None,
) -> tuple[Float[Array, "T B H"], GRUState]:
    """Outputs of all steps and the last state."""

    def step(h: Array, x: Any) -> tuple[Array, Array]:
        p, live = x
        h_new, _ = _step(h, p, w_hh, b_hn)
        return where_live(live, h_new, h), zero_dead(live, h_new)

    h, hs = jax.lax.scan(step, state.h, (projected, live_steps(lengths, len(projected))))
    return hs, GRUState(h)


def _step(h: Array, p: Array, w_hh: Array, b_hn: Array) -> tuple[Array, tuple[Array, ...]]:
    gates = activate(p, h @ w_hh.T, b_hn)
    _, z, n, _ = gates
    return (1 - z) * n + z * h, gates


def _forward(
    projected: Array, w_hh: Array, b_hn: Array, state: GRUState, lengths: Array | None
) -> Any:
    def step(h: Array, x: Any) -> tuple[Array, Any]:
        p, live = x
        h_new, gates = _step(h, p, w_hh, b_hn)
        return where_live(live, h_new, h), (zero_dead(live, h_new), gates)

    live = live_steps(lengths, len(projected))
    h, (hs, gates) = jax.lax.scan(step, state.h, (projected, live))
    return (hs, GRUState(h)), (hs, gates, w_hh, state, lengths)


def _backward(saved: Any, cotangents: Any) -> Any:
    hs, gates, w_hh, state, lengths = saved
    dhs, d_last = cotangents
    h_prev = previous(state.h, hs)

    def step(dh: Array, x: Any) -> tuple[Array, tuple[Array, Array]]:
        dh_out, (r, z, n, hn), h_prev, live = x
        dh_new = dh + dh_out
        d_n = dh_new * (1 - z) * (1 - n * n)
        d_z = dh_new * (h_prev - n) * z * (1 - z)
        d_r = d_n * hn * r * (1 - r)
        # The input half sees (d_r, d_z, d_n), the recurrent half r * d_n in its last third.
        d_input = zero_dead(live, jnp.concatenate([d_r, d_z, d_n], axis=-1))
        d_recurrent = zero_dead(live, jnp.concatenate([d_r, d_z, r * d_n], axis=-1))
        return where_live(live, dh_new * z + d_recurrent @ w_hh, dh), (d_input, d_recurrent)

    xs = (dhs, gates, h_prev, live_steps(lengths, len(hs)))
    dh, (d_input, d_recurrent) = jax.lax.scan(step, d_last.h, xs, reverse=True)
    d_b_hn = jnp.sum(jnp.split(d_recurrent, 3, axis=-1)[2], axis=(0, 1))
    return d_input, weight_gradient(d_recurrent, h_prev), d_b_hn, GRUState(dh), None


gru_loop.defvjp(_forward, _backward)
