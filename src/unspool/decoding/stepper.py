"""One step of decoding: what the sampler and the beam search see of any model."""

from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells import GRU, LSTM, RNN
from ..data import Vocabulary
from ..kernels.sampling import Network, check_weight_type, round_matrix
from ..models.language import LanguageModel
from .native import pack_model, why_not


class Stepper(Protocol):
    """A model as a function from a token and a state to scores of the next token.

    `network` is what the native kernel samples from instead of calling `step`, or None.
    """

    @property
    def network(self) -> Network | None:
        """The model packed for the native kernel."""
        return None

    def start(self, condition: Any) -> Any:
        """The state before the first token."""

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        """Logits of the token after `tokens`, and the state that has seen them."""

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        """The state whose row b is row `rows[b]` of `state`.

        Rows of one condition stay together, as many for each: what they share may stay as it is.
        """


class LanguageStepper(eqx.Module):
    """Text: there is no condition but the number of texts.

    `weights` stores the matrices that a step multiplies by in fewer bits: "float32", "bfloat16"
    or "int8" (a scale for each row). Where the native kernel can run the model, `network` holds
    it for `decoding.sample`, which is then bound by reading the weights and faster for fewer
    bits; elsewhere rounded weights cost and give the same as others. Raises ConfigError for
    another name.
    """

    network: Network | None
    _transposed: LanguageModel  # XLA would copy every matrix into this order at every step

    def __init__(self, model: LanguageModel, weights: str = "float32") -> None:
        rounded = round_weights(model, weights)
        self.network = None if why_not(model) else pack_model(model, weights)
        self._transposed = _transpose(_untied(rounded))

    def start(self, condition: int) -> Any:
        return self._transposed.initial_state(condition)

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        return _transpose(self._transposed).step(tokens, state)

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        return jax.tree.map(lambda leaf: leaf[rows], state)


def text_stepper(
    model: LanguageModel,
    vocab: Vocabulary,
    weights: str = "float32",
    keep_unknown: bool = False,
) -> LanguageStepper:
    """What writes the text of a vocabulary: never the unknown token, unless `keep_unknown`."""
    return LanguageStepper(model if keep_unknown else without_unknown(model, vocab), weights)


def without_unknown(model: Any, vocab: Vocabulary) -> Any:
    """The model, or decoder, that never writes the unknown token: its logit is -infinity."""
    if vocab.unknown_id is None:
        return model
    return eqx.tree_at(lambda m: m.b_out, model, model.b_out.at[vocab.unknown_id].set(-jnp.inf))


def round_weights(model: LanguageModel, weights: str) -> LanguageModel:
    """The model with the matrices that a step multiplies by rounded to a weight type.

    Its loss is that of sampling with these weights. Raises ConfigError for an unknown type.
    """
    check_weight_type(weights)
    return eqx.tree_at(_multiplied, _untied(model), replace_fn=lambda w: round_matrix(w, weights))


def _untied(model: LanguageModel) -> LanguageModel:
    """Output weights of their own: a product needs them otherwise than a lookup."""
    if model.w_out is not None:
        return model
    return eqx.tree_at(lambda m: m.w_out, model, model.embedding, is_leaf=lambda leaf: leaf is None)


def _transpose(model: LanguageModel) -> LanguageModel:
    """The model with the matrices of a step transposed."""
    return eqx.tree_at(_matrices, model, replace_fn=lambda w: w.T)


def _matrices(model: LanguageModel) -> list[Array]:
    cells = [cell for cell in model.stack.cells if isinstance(cell, RNN | LSTM | GRU)]
    return [model.output_weights, *(w for cell in cells for w in (cell.w_ih, cell.w_hh))]


def _multiplied(model: LanguageModel) -> list[Array]:
    """Without an embedding, the first input weights are a table that tokens index."""
    return [
        w
        for w in _matrices(model)
        if model.embedding is not None or w is not getattr(model.stack.cells[0], "w_ih", None)
    ]
