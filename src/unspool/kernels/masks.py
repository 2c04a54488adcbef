"""Masks for unequal lengths, shared by the time loops."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def live_steps(lengths: Int[Array, "B"] | None, steps: int) -> Bool[Array, "T B 1"] | None:
    """Return True where a row's sequence has not ended; None if all rows have full length."""
    if lengths is None:
        return None
    return (jnp.arange(steps)[:, None] < lengths)[..., None]


def where_live(live: Bool[Array, "B 1"] | None, new: Any, old: Any) -> Any:
    """Return `new` in live rows and `old` elsewhere, for every leaf of shape (B, ...)."""
    if live is None:
        return new

    def choose(a: Array, b: Array) -> Array:
        return jnp.where(live.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, new, old)


def zero_dead(live: Bool[Array, "B 1"] | None, x: Float[Array, "B H"]) -> Float[Array, "B H"]:
    """Set outputs and gradients of padding to zero."""
    return x if live is None else jnp.where(live, x, 0.0)
