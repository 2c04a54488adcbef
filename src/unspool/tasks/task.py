"""The contract between the training loop and what it trains for."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jaxtyping import Array, Float, PRNGKeyArray


class Evaluation(NamedTuple):
    """The held-out loss per token, and per character where the text allows."""

    loss_nats: float
    bits_per_char: float | None
    bits_per_byte: float | None
    tokens: int


class Task(Protocol):
    """Yields batches and scores a model on them; the loop never asks which task it holds.

    `batch(position)` depends on `position` alone, which makes a run resumable from one
    integer.
    """

    tokens_per_batch: int

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

    def sample(self, model: Any, seed: int) -> str | None:
        """Something the model makes, to look at; None where there is nothing to show."""
