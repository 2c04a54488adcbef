"""The contract between the training loop and what it trains for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

LOSS = "loss"  # chooses the best weights, unless a metric does


class Loss(NamedTuple):
    """The loss of a batch.

    `objective` is differentiated. `nats` is the mean cross-entropy of the batch's targets, with
    dropout but without smoothing, penalties and rewards: the figure to compare with the held-out
    loss. It is None if the step does not compute it (sampled softmax, rewards). `state` is carried
    to the next batch.
    """

    objective: Float[Array, ""]
    nats: Float[Array, ""] | None
    state: Any


def weighted_sum(
    values: Float[Array, "..."],
    weights: Float[Array, "..."] | Bool[Array, "..."],
    axis: int | None = None,
) -> Float[Array, "..."]:
    """Return sum(w x). Values of weight 0 (padding) are ignored, even infinity and NaN, and their
    gradient is 0.
    """
    return jnp.sum(jnp.where(weights > 0, weights * values, 0.0), axis)


def weighted_mean(
    values: Float[Array, "..."], weights: Float[Array, "..."] | Bool[Array, "..."]
) -> Float[Array, ""]:
    """Return sum(w x) / sum(w), ignoring values of weight 0: the masked mean of every loss."""
    return weighted_sum(values, weights) / jnp.sum(weights)


@dataclass(frozen=True)
class Evaluation:
    """The held-out loss per token (per sequence if a sequence has one label).

    For a text, also the loss per character and per byte. `metrics` are numbers worth watching
    during training; `best_by` names the one whose highest value is the best model, or is "loss",
    whose lowest value is. `details` are JSON values of any form.
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
        """Return the figure that `best_by` names."""
        return self.loss_nats if self.best_by == LOSS else self.metrics[self.best_by]

    @property
    def rank(self) -> list[float]:
        """Rank evaluations, lower being better: by the negated metric `best_by`, then by loss."""
        first = [] if self.best_by == LOSS else [-self.best_value]
        return [*first, self.loss_nats]

    def as_dict(self) -> dict[str, Any]:
        """Return all available figures as one dictionary of JSON values."""
        own = {k: getattr(self, k) for k in ("loss_nats", "bits_per_char", "bits_per_byte")}
        known = {k: v for k, v in own.items() if v is not None}
        return {**known, "tokens": self.tokens, **self.metrics, **self.details}


class Task(Protocol):
    """Yields batches and scores a model on them; the loop never asks which task it holds.

    `batch(position)` depends on `position` alone, which makes a run resumable from one
    integer.
    """

    tokens_per_batch: int  # the mean, if batches differ

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes shown before training."""

    def describe(self) -> dict[str, Any]:
        """Describe the task for config.json; a resumed run must give the same description."""

    def save(self, directory: Path) -> None:
        """Write what sampling and evaluation need apart from the weights (the vocabulary)."""

    def initial_state(self, model: Any) -> Any:
        """Return the state that the first batch starts from."""

    def batch(self, position: int) -> Any:
        """Return the arrays of batch number `position`, counted from 0 over all epochs."""

    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return mean objective and cross-entropy per token, and the state to carry."""

    def evaluate(self, model: Any) -> Evaluation:
        """Measure the loss over the whole held-out part."""

    def sample(self, model: Any, seed: int) -> Iterable[str] | None:
        """Return a sample to show, whole or in pieces; None if there is nothing to show.

        A signal can end it between two pieces, which may be empty.
        """
