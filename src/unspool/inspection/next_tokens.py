"""Compute what a language model expects next: the likeliest tokens, and its surprise."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..data.sequences import power_of_two
from ..errors import ConfigError, DataError
from ..models.generator import Generator
from ..models.language import LanguageModel
from .passes import LEAST

STEPS = 1024  # fewer than in a trace, as the logits of all steps of a block are in memory


class NextTokens(NamedTuple):
    """For each of T tokens, what the model expects after it and how likely the token was.

    `ids` and `probabilities` (T, k) are the k likeliest tokens after token t, likeliest first.
    `surprise[t]` is -ln p(token t | the tokens before it) in nats, NaN for the first token if
    nothing came before it.
    """

    ids: np.ndarray
    probabilities: np.ndarray
    surprise: np.ndarray


def next_tokens(model: Any, tokens: np.ndarray, k: int = 5, *, state: Any = None) -> NextTokens:
    """Read `tokens` (T,) once with the state carried; see `NextTokens`.

    `model` is a LanguageModel, or a Generator with the `state` of a label. Raises ConfigError if it
    is neither, DataError if there are no tokens.
    """
    if isinstance(model, Generator):
        model = model.decoder
    if not isinstance(model, LanguageModel):
        raise ConfigError(f"a {type(model).__name__} does not predict tokens: pass a LanguageModel")
    tokens = np.asarray(tokens)
    if len(tokens) == 0:
        raise DataError("there is nothing to predict: the text is empty")
    if not 1 <= k <= model.vocab_size:
        raise ConfigError(f"k must be from 1 to the vocabulary's size {model.vocab_size}, got {k}")
    state = model.initial_state(1) if state is None else state
    size = min(STEPS, max(LEAST, power_of_two(len(tokens))))
    parts = []
    for start in range(0, len(tokens), size):
        read = tokens[start : start + size + 1]  # and the next one, to be predicted
        padded = np.zeros(size + 1, np.int32)
        padded[: len(read)] = read
        made, state = _predict(model, padded, state, k)
        parts.append([np.asarray(a) for a in made])
    ids, p, nats = (np.concatenate(column)[: len(tokens)] for column in zip(*parts, strict=True))
    return NextTokens(ids, p, np.concatenate([[np.float32(np.nan)], nats[:-1]]))


@eqx.filter_jit
def _predict(model: LanguageModel, tokens: Any, state: Any, k: int) -> Any:
    logits, state = model(jnp.asarray(tokens)[None, :-1], state)
    log_p: Float[Array, "T V"] = jax.nn.log_softmax(logits[0])
    best, ids = jax.lax.top_k(log_p, k)
    nats = -jnp.take_along_axis(log_p, jnp.asarray(tokens)[1:, None], axis=1)[:, 0]
    return (ids, jnp.exp(best), nats), state
