"""Sequences grown from a condition: they begin after START and end before END."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..data import BOUNDARY, Vocabulary
from ..models.generator import Generator
from .sampling import stream
from .stepper import LanguageStepper


class ConditionStepper(eqx.Module):
    """A `LanguageStepper` whose rows all start from the state of one condition."""

    inner: LanguageStepper
    state: Any

    def __init__(self, model: Generator, condition: int) -> None:
        self.inner = LanguageStepper(model.decoder)
        self.state = model.initial_state(jnp.array([condition]))

    @property
    def network(self) -> Any:
        """What the native kernel runs, as in `LanguageStepper`."""
        return self.inner.network

    def start(self, condition: int) -> Any:
        """The condition's state, for so many rows."""
        return jax.tree.map(lambda leaf: jnp.repeat(leaf, condition, axis=0), self.state)

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        """Logits and the next state."""
        return self.inner.step(tokens, state)

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        """The rows of a state in another order."""
        return self.inner.reorder(state, rows)


def generate(
    model: Generator, vocab: Vocabulary, condition: int, prompt: str = "", **options: Any
) -> list[str]:
    """Texts that begin with `prompt`, each up to END; `options` are those of `stream`.

    START and END are both the line break, which no text has inside.
    """
    tokens = vocab.encode(BOUNDARY + prompt)
    (end,) = vocab.encode(BOUNDARY)
    blocks: list[np.ndarray] = []
    for block in stream(ConditionStepper(model, condition), tokens, **options):
        blocks.append(block)
        if (np.concatenate(blocks, axis=1) == end).any(axis=1).all():
            break
    return [prompt + vocab.decode(_before(row, end)) for row in np.concatenate(blocks, axis=1)]


def _before(row: Sequence[int] | np.ndarray, end: int) -> np.ndarray:
    row = np.asarray(row)
    ends = np.flatnonzero(row == end)
    return row[: ends[0]] if len(ends) else row
