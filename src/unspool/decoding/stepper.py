"""One step of generation: what the sampler and the beam search see of any model."""

from typing import Any, Protocol

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int

from ..cells import GRU, LSTM, RNN
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
    """Text: there is no condition but the number of texts.

    The weights are kept transposed. A step multiplies by their transposes, and XLA would
    otherwise copy every matrix into that order again at every step of the loop.
    """

    _transposed: LanguageModel

    def __init__(self, model: LanguageModel) -> None:
        if model.w_out is None:  # tied: the product needs the other order than the lookup
            model = eqx.tree_at(
                lambda m: m.w_out, model, model.embedding, is_leaf=lambda leaf: leaf is None
            )
        self._transposed = _transpose(model)

    def start(self, condition: int) -> Any:
        return self._transposed.initial_state(condition)

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        return _transpose(self._transposed).step(tokens, state)

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        return jax.tree.map(lambda leaf: leaf[rows], state)


def _transpose(model: LanguageModel) -> LanguageModel:
    """The model with the matrices that a step multiplies by transposed."""

    def matrices(model: LanguageModel) -> list[Array | None]:
        cells = [cell for cell in model.stack.cells if isinstance(cell, RNN | LSTM | GRU)]
        return [model.w_out, *(w for cell in cells for w in (cell.w_ih, cell.w_hh))]

    return eqx.tree_at(matrices, model, replace_fn=lambda w: w.T)
