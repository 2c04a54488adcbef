"""The interface of a decoding step, through which sampler and beam search use any model."""

from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..data import Vocabulary
from ..kernels.sampling import Network, check_weight_type, round_matrix
from ..models.language import LanguageModel
from .native import pack_model, why_not


class Stepper(Protocol):
    """A model as a function from a token and a state to scores of the next token.

    `network` is what the native kernel samples from, without calling `step`, or None.
    """

    @property
    def network(self) -> Network | None:
        """Return the model packed for the native kernel, or None."""
        return None

    def start(self, condition: Any) -> Any:
        """Return the state before the first token."""

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        """Return logits of the token after `tokens`, and the state that has read them."""

    def reorder(self, state: Any, rows: Int[Array, "B"]) -> Any:
        """Return the state whose row b is row `rows[b]` of `state`.

        Rows stay within their condition, with the same number for each, so what they share need not
        move.
        """


class LanguageStepper(eqx.Module):
    """A language model as a stepper: the only condition is the number of texts.

    `weights` stores the matrices that a step multiplies by in fewer bits: "float32", "bfloat16" or
    "int8" (a scale for each row). If the native kernel can run the model, `network` holds it for
    `decoding.sample`, which is then limited by reading the weights and faster with fewer bits;
    otherwise rounded weights give the same text at the speed of float32. Raises ConfigError if the
    name is unknown.
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
    """Make a stepper that never writes the unknown token, unless `keep_unknown`."""
    return LanguageStepper(model if keep_unknown else without_unknown(model, vocab), weights)


def without_unknown(model: Any, vocab: Vocabulary) -> Any:
    """Return the model, or decoder, with a logit of -infinity for the unknown token."""
    if vocab.unknown_id is None:
        return model
    return eqx.tree_at(lambda m: m.b_out, model, model.b_out.at[vocab.unknown_id].set(-jnp.inf))


def round_weights(model: LanguageModel, weights: str) -> LanguageModel:
    """Return the model with the matrices that a step multiplies by rounded to a weight type.

    Its loss is that of sampling with these weights. Raises ConfigError if the type is unknown.
    """
    check_weight_type(weights)
    return eqx.tree_at(_multiplied, _untied(model), replace_fn=lambda w: round_matrix(w, weights))


def _untied(model: LanguageModel) -> LanguageModel:
    """Untie output weights: a product needs another layout than a look-up."""
    if model.w_out is not None:
        return model
    return eqx.tree_at(lambda m: m.w_out, model, model.embedding, is_leaf=lambda leaf: leaf is None)


def _transpose(model: LanguageModel) -> LanguageModel:
    """Return the model with the matrices of a step transposed."""
    return eqx.tree_at(_matrices, model, replace_fn=lambda w: w.T)


def _matrices(model: LanguageModel) -> list[Array]:
    cells = model.stack.cells
    parts = [(*cell.input_weights, *cell.recurrent_weights) for cell in cells]
    return [model.output_weights, *(w for part in parts for w in part)]


def _multiplied(model: LanguageModel) -> list[Array]:
    """Return the matrices of a step; without an embedding, the first input weights are a table."""
    first = model.stack.cells[0]
    tables = first.input_weights if model.embedding is None and first.takes_token_ids else ()
    return [w for w in _matrices(model) if all(w is not table for table in tables)]
