"""Texts out of a generator: from a label to END."""

from typing import Any

import jax.numpy as jnp

from ...data import BOUNDARY, Vocabulary
from ...decoding.conditional import Started, until_end
from ...decoding.sampling import stream
from ...decoding.stepper import LanguageStepper, Stepper, without_unknown
from ...models.generator import Generator


def generate(
    model: Generator,
    vocab: Vocabulary,
    condition: int,
    prompt: str = "",
    keep_unknown: bool = False,
    **options: Any,
) -> list[str]:
    """Texts that begin with `prompt`, each up to END; `options` are those of `stream`.

    START and END are both the line break, which no text has inside. The unknown token is never
    written, unless `keep_unknown`.
    """
    tokens = vocab.encode(BOUNDARY + prompt)
    (end,) = vocab.encode(BOUNDARY)
    state = model.initial_state(jnp.array([condition]))
    decoder = model.decoder if keep_unknown else without_unknown(model.decoder, vocab)
    stepper: Stepper = Started(LanguageStepper(decoder), state, 1)
    rows = until_end(stream(stepper, tokens, **options), end)
    return [prompt + vocab.decode(row) for row, _ in rows]
