"""One step of generation: what the sampler and the beam search see of any model."""

from typing import Any, Protocol

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int

from ..models.language import LanguageModel


class Stepper(Protocol):
    """A model as a function from a token and a state to scores of the next token."""

    def start(self, condition: Any) -> Any:
        """The state before the first token."""

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        """Logits of the token after `tokens`, and the state that has seen them."""

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        """The state whose row b is row `rows[b]` of `state`."""


class LanguageStepper(eqx.Module):
    """Text: there is no condition but the number of texts."""

    model: LanguageModel

    def start(self, condition: int) -> Any:
        return self.model.initial_state(condition)

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        return self.model.step(tokens, state)

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        return jax.tree.map(lambda leaf: leaf[rows], state)
