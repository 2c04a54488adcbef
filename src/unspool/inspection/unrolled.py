"""Unroll the computation graph of a short text, with all values and gradients."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..cells.base import state_arrays
from ..errors import DataError
from ..models.language import LanguageModel
from ..models.softmax import cross_entropy
from .passes import Quantities, trace_model


class Unrolled(NamedTuple):
    """T steps of a language model.

    `layers[l]["h"]` (T, H) as of `trace_model`; scores y_t and probabilities p_t (T, V); `nats`
    (T,), -ln p_t(x_{t+1}); `gradients[l]` (T, H), dL/dh_t for L the sum of the nats.
    """

    layers: list[Quantities]
    scores: np.ndarray
    probabilities: np.ndarray
    nats: np.ndarray
    gradients: list[np.ndarray]


def unrolled(model: LanguageModel, ids: np.ndarray) -> Unrolled:
    """Read ids (T + 1,): every one but the last is an input, every one but the first a target.

    All steps are kept in memory, so this is for short texts. Raises DataError below two tokens.
    """
    if len(ids) < 2:
        raise DataError(
            f"a step needs an input and a target: use at least two tokens, got {len(ids)}"
        )
    inputs, targets = jnp.asarray(ids[:-1]), jnp.asarray(ids[1:])
    blocks = [block.layers for block in trace_model(model, ids[:-1])]
    layers = [
        {name: np.concatenate([block[i][name] for block in blocks]) for name in blocks[0][i]}
        for i in range(len(blocks[0]))
    ]
    scores, nats, gradients = _backward(model, inputs, targets)
    return Unrolled(
        layers,
        np.asarray(scores),
        np.asarray(jax.nn.softmax(scores)),
        np.asarray(nats),
        [np.asarray(layer) for layer in gradients],
    )


@eqx.filter_jit
def _backward(
    model: LanguageModel, inputs: Int[Array, "T"], targets: Int[Array, "T"]
) -> tuple[Float[Array, "T V"], Float[Array, "T"], tuple[Array, ...]]:
    """Return scores, nats, and dL/dh_t of every layer: the gradient of zeros added to h_t."""
    first = model.initial_state(1)
    zeros = jax.tree.map(lambda leaf: jnp.zeros((len(inputs), *leaf.shape), leaf.dtype), first)

    def loss(added: Any) -> tuple[Array, tuple[Array, Array]]:
        def step(state: Any, x: Any) -> tuple[Any, Array]:
            token, more = x
            hidden, state = model.hidden_step(token[None], state, more)
            return state, model.logits(hidden)[0]

        _, scores = jax.lax.scan(step, first, (inputs, added))
        nats = cross_entropy(scores, targets)
        return jnp.sum(nats), (scores, nats)

    gradients, (scores, nats) = jax.grad(loss, has_aux=True)(zeros)
    return scores, nats, tuple(_of_h(state)[:, 0] for state in gradients)


def _of_h(state: Any) -> Array:
    """Return a layer's h, or the first array of a state without h."""
    arrays = state_arrays(state)
    return arrays.get("h", next(iter(arrays.values())))
