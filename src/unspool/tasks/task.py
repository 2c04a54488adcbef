"""The contract between the training loop and what it trains for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jaxtyping import Array, Float, PRNGKeyArray


@dataclass(frozen=True)
class Evaluation:
    """The held-out loss per token (per sequence where a sequence has one label).

    Of a text also the loss per character and byte. `metrics` are numbers worth following in
    training; `best_by` names the one whose highest value is the best model, None where the
    lowest loss is. `details` are JSON values of any form.
    """

    loss_nats: float
    tokens: int
    bits_per_char: float | None = None
    bits_per_byte: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    best_by: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    unit: str = "token"

    @property
    def objective(self) -> list[float]:
        """What training wants low: the loss; before it the negative of the metric `best_by`."""
        first = [] if self.best_by is None else [-self.metrics[self.best_by]]
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

    def loss(
        self, model: Any, batch: Any, state: Any, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Any]:
        """Mean loss in nats per token, and the state to carry to the next batch."""

    def evaluate(self, model: Any) -> Evaluation:
        """The loss over the whole held-out part."""

    def sample(self, model: Any, seed: int) -> Iterable[str] | None:
        """Something the model makes, to look at, whole or in pieces; None if there is nothing.

        Between two pieces, which may be empty, a signal can end it.
        """
