"""Functions from logits to logits, composed by applying them in order.

Their values are arrays, so that changing one does not compile again.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .options import Sampling

COLDEST = 1e-10  # a lower temperature would overflow, and is argmax in practice

Transform = Callable[[Float[Array, "B V"]], Float[Array, "B V"]]


class Temperature(eqx.Module):
    """logits / temperature: below 1 sharpens the distribution, above 1 flattens it."""

    temperature: Float[Array, ""]

    def __call__(self, logits: Float[Array, "B V"]) -> Float[Array, "B V"]:
        return logits / self.temperature


class TopK(eqx.Module):
    """Keep the k largest logits of a row; of equal ones the smaller ids (Fan et al. 2018)."""

    k: Int[Array, ""]

    def __call__(self, logits: Float[Array, "B V"]) -> Float[Array, "B V"]:
        order = jnp.argsort(logits, axis=-1, descending=True, stable=True)
        return jnp.where(jnp.argsort(order, axis=-1) < self.k, logits, -jnp.inf)


class TopP(eqx.Module):
    """Keep the smallest set of likeliest tokens whose probabilities sum to at least p
    (nucleus sampling: Holtzman et al. 2020, arXiv 1904.09751).
    """

    p: Float[Array, ""]

    def __call__(self, logits: Float[Array, "B V"]) -> Float[Array, "B V"]:
        order = jnp.argsort(logits, axis=-1, descending=True, stable=True)
        sorted_p = jnp.take_along_axis(jax.nn.softmax(logits), order, axis=-1)
        before = jnp.cumsum(sorted_p, axis=-1) - sorted_p
        kept = jnp.maximum(1, jnp.sum(before < self.p, axis=-1, keepdims=True))  # p may underflow
        return jnp.where(jnp.argsort(order, axis=-1) < kept, logits, -jnp.inf)


def is_greedy(temperature: float, do_sample: bool = True) -> bool:
    """Say whether the likeliest token is chosen instead of a sampled one."""
    return temperature < COLDEST or not do_sample


def make_transforms(
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> tuple[Transform, ...]:
    """Return temperature, then top-k, then top-p, without those that change nothing.

    Raises ConfigError if a value is invalid for `Sampling`. A temperature of 0 means argmax, which
    the sampler handles.
    """
    Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    transforms: list[Transform] = []
    if temperature >= COLDEST and temperature != 1:
        transforms.append(Temperature(jnp.float32(temperature)))
    if top_k is not None:
        transforms.append(TopK(jnp.int32(min(top_k, 2**31 - 1))))  # beyond any vocabulary
    if top_p is not None and top_p < 1:
        transforms.append(TopP(jnp.float32(top_p)))
    return tuple(transforms)
