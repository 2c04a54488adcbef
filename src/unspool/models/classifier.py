"""Classifiers: one label for a whole sequence (many to one)."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells.base import check_sizes
from ..cells.init import random_key, uniform
from ..errors import ConfigError
from ..products import affine
from .reader import Reader, live

POOLINGS = ("last", "mean", "max", "attention")


class AttentionPooling(eqx.Module):
    """softmax over time of v tanh(W h_t), the weight of each step (Yang et al. 2016, who have a
    bias inside the tanh).
    """

    w: Float[Array, "F F"]
    v: Float[Array, "F"]

    def __call__(self, outputs: Float[Array, "T B F"], lengths: Array) -> Float[Array, "T B"]:
        scores = jnp.tanh(outputs @ self.w.T) @ self.v
        scores = jnp.where(live(lengths, len(outputs)), scores, -1e30)  # finite for empty rows
        return jax.nn.softmax(scores, axis=0)


class Classifier(eqx.Module):
    """p(label | x_1..x_T) = softmax(W_out pool(h_1..h_T) + b_out).

    `pooling` is "last" (the last output of each direction), "mean", "max", or "attention".
    """

    kind: ClassVar[str] = "classifier"

    reader: Reader
    attention: AttentionPooling | None
    w_out: Float[Array, "C F"]
    b_out: Float[Array, "C"]
    pooling: str = eqx.field(static=True)

    @classmethod
    def create(
        cls, classes: int, *, pooling: str = "max", seed: int = 0, **options: Any
    ) -> "Classifier":
        """Create a model for a number of classes; `options` are those of `Reader.create`.

        Raises ConfigError if an argument is invalid.
        """
        check_sizes(classes=classes)
        if pooling not in POOLINGS:
            raise ConfigError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
        k_reader, k_w, k_v, k_out = jax.random.split(random_key(seed), 4)
        reader = Reader.create(**options, key=k_reader)
        size = reader.output_size
        attention = None
        if pooling == "attention":
            w, v = uniform(k_w, (size, size), size), uniform(k_v, (size,), size)
            attention = AttentionPooling(w, v)
        w_out = uniform(k_out, (classes, size), size)
        return cls(reader, attention, w_out, jnp.zeros(classes), pooling)

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the seed."""
        own = {"classes": len(self.b_out), "pooling": self.pooling}
        return {**own, **self.reader.describe()}

    def __call__(
        self,
        inputs: Int[Array, "B T"] | Int[Array, "B T K"] | Float[Array, "B T D"],
        lengths: Int[Array, "B"],
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "B C"]:
        """Return logits of the classes; dropout acts if `key` is given."""
        outputs, last = self.reader(inputs, lengths, key)
        return affine(self._pool(outputs, last, lengths), self.w_out, self.b_out)

    def _pool(self, outputs: Array, last: Array, lengths: Array) -> Float[Array, "B F"]:
        match self.pooling:
            case "last":
                return last
            case "mean":
                return jnp.sum(outputs, axis=0) / jnp.maximum(lengths, 1)[:, None]
            case "max":
                is_live = live(lengths, len(outputs))[..., None]
                pooled = jnp.max(jnp.where(is_live, outputs, -jnp.inf), axis=0)
                return jnp.where(lengths[:, None] > 0, pooled, 0.0)
        assert self.attention is not None
        weights = self.attention(outputs, lengths)
        return jnp.einsum("tb,tbf->bf", weights, outputs)
