"""What the time loops share: masks for unequal lengths."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def live_steps(lengths: Int[Array, "B"] | None, steps: int) -> Bool[Array, "T B 1"] | None:
    """True where a row's sequence has not ended; None where all rows have full length."""
    if lengths is None:
        return None
    return (jnp.arange(steps)[:, None] < lengths)[..., None]


def where_live(live: Bool[Array, "B 1"] | None, new: Any, old: Any) -> Any:
    """`new` in live rows, `old` elsewhere, for every leaf of shape (B, ...)."""
    if live is None:
        return new

    def choose(a: Array, b: Array) -> Array:
        return jnp.where(live.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, new, old)


def zero_dead(live: Bool[Array, "B 1"] | None, x: Float[Array, "B H"]) -> Float[Array, "B H"]:
    """Outputs and gradients of padding are zero."""
    return x if live is None else jnp.where(live, x, 0.0)
