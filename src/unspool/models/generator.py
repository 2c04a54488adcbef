"""Generators: generate a sequence from one input, such as a label (one to many)."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells.base import check_sizes
from ..cells.init import random_key, uniform
from .language import LanguageModel


class Generator(eqx.Module):
    """p(x_{t+1} | condition, x_1..x_t): a language model whose first state is set by the condition.

    `states` has the leaves of the decoder's state, with one row per condition.
    """

    kind: ClassVar[str] = "generator"

    decoder: LanguageModel
    states: Any

    @classmethod
    def create(cls, classes: int, vocab_size: int, *, seed: int = 0, **options: Any) -> "Generator":
        """Create a model for a number of conditions; `options` are those of `LanguageModel.create`.

        Raises ConfigError if an argument is invalid.
        """
        check_sizes(classes=classes)
        decoder = LanguageModel.create(vocab_size, seed=seed, **options)
        leaves, structure = jax.tree.flatten(jax.eval_shape(lambda: decoder.initial_state(classes)))
        keys = jax.random.split(random_key(seed, "states"), len(leaves))
        states = [uniform(key, leaf.shape, 1) for key, leaf in zip(keys, leaves, strict=True)]
        return cls(decoder, jax.tree.unflatten(structure, states))

    @property
    def classes(self) -> int:
        """Return the number of conditions."""
        return int(jax.tree.leaves(self.states)[0].shape[0])

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the seed."""
        return {"classes": self.classes, **self.decoder.describe()}

    def initial_state(self, conditions: Int[Array, "B"]) -> Any:
        """Return the states that sequences of these conditions begin with."""
        return jax.tree.map(lambda leaf: leaf[conditions], self.states)

    def __call__(
        self,
        tokens: Int[Array, "B T"],
        conditions: Int[Array, "B"],
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "B T V"]:
        """Return logits of the next token at every step; dropout acts if `key` is given."""
        state = self.initial_state(jnp.asarray(conditions))
        return self.decoder(tokens, state, lengths, key)[0]
