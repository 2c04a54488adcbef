"""The contract between the training loop and what it trains for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

LOSS = "loss"  # what chooses the best weights, unless a metric does


class Loss(NamedTuple):
    """What a step minimises, and what it can be compared by.

    `objective` is differentiated. `nats` is the mean cross-entropy of the batch's targets, with
    dropout but without smoothing, penalties and rewards: the figure that belongs beside the
    held-out loss. It is None if the step does not form it (sampled softmax, rewards). `state` is
    carried to the next batch.
    """

    objective: Float[Array, ""]
    nats: Float[Array, ""] | None
    state: Any


def weighted_sum(
    values: Float[Array, "..."],
    weights: Float[Array, "..."] | Bool[Array, "..."],
    axis: int | None = None,
) -> Float[Array, "..."]:
    """sum(w x). Values of weight 0 (padding) may be anything, infinite or NaN too: they are left
    out, and their gradient is 0.
    """
    return jnp.sum(jnp.where(weights > 0, weights * values, 0.0), axis)


def weighted_mean(
    values: Float[Array, "..."], weights: Float[Array, "..."] | Bool[Array, "..."]
) -> Float[Array, ""]:
    """sum(w x) / sum(w), without the values of weight 0: the mask of every task's loss."""
    return weighted_sum(values, weights) / jnp.sum(weights)


@dataclass(frozen=True)
class Evaluation:
    """The held-out loss per token (per sequence if a sequence has one label).

    Of a text also the loss per character and byte. `metrics` are numbers worth following in
    training; `best_by` names the one whose highest value is the best model, or is "loss": then
    the lowest loss is. `details` are JSON values of any form.
    """

    loss_nats: float
    tokens: int
    bits_per_char: float | None = None
    bits_per_byte: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    best_by: str = LOSS
    details: dict[str, Any] = field(default_factory=dict)
    unit: str = "token"

    @property
    def best_value(self) -> float:
        """The figure that `best_by` names."""
        return self.loss_nats if self.best_by == LOSS else self.metrics[self.best_by]

    @property
    def rank(self) -> list[float]:
        """Lower is better: the loss; before it the negative of the metric `best_by`."""
        first = [] if self.best_by == LOSS else [-self.best_value]
        return [*first, self.loss_nats]

    def as_dict(self) -> dict[str, Any]:
        """All figures that there are, as JSON values side by side."""
        own = {k: getattr(self, k) for k in ("loss_nats", "bits_per_char", "bits_per_byte")}
        known = {k: v for k, v in own.items() if v is not None}
        return {**known, "tokens": self.tokens, **self.metrics, **self.details}


class Task(Protocol):
    """Yields batches and scores a model on them; the loop never asks which task it holds.

    `batch(position)` depends on `position` alone, which makes a run resumable from one
    integer.
    """

    tokens_per_batch: int  # the mean, where batches differ

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the data before training starts."""

    def describe(self) -> dict[str, Any]:
        """JSON for config.json: a resumed run must describe itself the same."""

    def save(self, directory: Path) -> None:
        """Write what sampling and evaluation need besides the weights (the vocabulary)."""

    def initial_state(self, model: Any) -> Any:
        """The state that the first batch starts from."""

    def batch(self, position: int) -> Any:
        """The arrays of batch number `position`, counted from 0 over all epochs."""

    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Mean objective and cross-entropy per token, and the state to carry on."""

    def evaluate(self, model: Any) -> Evaluation:
        """The loss over the whole held-out part."""

    def sample(self, model: Any, seed: int) -> Iterable[str] | None:
        """Something the model makes, to look at, whole or in pieces; None if there is nothing.

        Between two pieces, which may be empty, a signal can end it.
        """
