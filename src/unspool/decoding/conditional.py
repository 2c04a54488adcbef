"""Generate sequences from a condition; they begin after START and end before END."""

from collections.abc import Iterator, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..kernels.sampling import Network
from .stepper import Stepper


class Started(eqx.Module):
    """A stepper with given conditions: `start` repeats each of their states."""

    inner: Stepper
    state: Any
    conditions: int = eqx.field(static=True)

    @property
    def network(self) -> Network | None:
        """Return the inner stepper's network."""
        return self.inner.network

    def start(self, condition: int) -> Any:
        """Return the conditions' states, for this many rows in all."""
        rows = jnp.repeat(jnp.arange(self.conditions), condition // self.conditions)
        return self.inner.reorder(self.state, rows)

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        """Return logits and the next state."""
        return self.inner.step(tokens, state)

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        """Reorder the rows of a state."""
        return self.inner.reorder(state, rows)


def until_end(blocks: Iterator[np.ndarray], end: int) -> list[tuple[np.ndarray, bool]]:
    """Return each row's tokens before END, and whether END came; reads no more blocks than
    needed.
    """
    taken: list[np.ndarray] = []
    for block in blocks:
        taken.append(block)
        if (np.concatenate(taken, axis=1) == end).any(axis=1).all():
            break
    return [_before(row, end) for row in np.concatenate(taken, axis=1)]


def _before(row: Sequence[int] | np.ndarray, end: int) -> tuple[np.ndarray, bool]:
    row = np.asarray(row)
    ends = np.flatnonzero(row == end)
    return (row[: ends[0]], True) if len(ends) else (row, False)
