"""Generate texts from a label, up to END."""

from typing import Any

import jax.numpy as jnp

from ...data import BOUNDARY, Vocabulary
from ...decoding.conditional import Started, until_end
from ...decoding.sampling import stream
from ...decoding.stepper import LanguageStepper
from ...models.generator import Generator


def generate(
    model: Generator,
    stepper: LanguageStepper,
    vocab: Vocabulary,
    condition: int,
    prompt: str = "",
    **options: Any,
) -> list[str]:
    """Return texts that begin with `prompt`, each up to END; `options` are those of `stream`.

    `stepper` is the decoder's, of `text_stepper`. START and END are both the line break, which no
    text contains.
    """
    tokens = vocab.encode(BOUNDARY + prompt)
    (end,) = vocab.encode(BOUNDARY)
    state = model.initial_state(jnp.array([condition]))
    rows = until_end(stream(Started(stepper, state, 1), tokens, **options), end)
    return [prompt + vocab.decode(row) for row, _ in rows]
