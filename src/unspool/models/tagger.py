"""Taggers: a label for every step of a sequence (many to many, aligned)."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells.base import check_sizes
from ..cells.init import random_key, uniform
from ..products import affine
from .reader import Reader


class Tagger(eqx.Module):
    """p(tag_t | x) = softmax(W_out h_t + b_out).

    With a reader in both directions h_t has seen the whole sequence, otherwise only x_1..x_t.
    """

    kind: ClassVar[str] = "tagger"

    reader: Reader
    w_out: Float[Array, "C F"]
    b_out: Float[Array, "C"]

    @classmethod
    def create(cls, classes: int, *, seed: int = 0, **options: Any) -> "Tagger":
        """Create a model for a number of tags; `options` are those of `Reader.create`.

        Raises ConfigError if an argument is invalid.
        """
        check_sizes(classes=classes)
        k_reader, k_out = jax.random.split(random_key(seed))
        reader = Reader.create(**options, key=k_reader)
        w_out = uniform(k_out, (classes, reader.output_size), reader.output_size)
        return cls(reader, w_out, jnp.zeros(classes))

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the seed."""
        return {"classes": len(self.b_out), **self.reader.describe()}

    def __call__(
        self,
        inputs: Int[Array, "B T"] | Int[Array, "B T K"] | Float[Array, "B T D"],
        lengths: Int[Array, "B"],
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "B T C"]:
        """Return logits of the tags at every step; dropout acts if `key` is given."""
        outputs, _ = self.reader(inputs, lengths, key)
        return jnp.swapaxes(affine(outputs, self.w_out, self.b_out), 0, 1)
