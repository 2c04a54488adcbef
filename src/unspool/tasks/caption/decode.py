"""Decode captions from features or pixels, and compute their attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np

from ...data import Sentences
from ...data.sequences import power_of_two
from ...decoding.hypotheses import Hypothesis, ended, find, reread
from ...decoding.options import Beam, Search
from ...decoding.stepper import without_unknown
from ...errors import ConfigError
from ...models.captioner import Captioner
from ...models.decoder import Condition
from ...options import redeclared

BATCH = 32  # pictures described at once


@dataclass(frozen=True, kw_only=True)
class CaptionBeam(Beam):
    """A beam search for captions; the defaults were found on Flickr8k (docs/lab-log.md)."""

    num_beams: int = redeclared(Beam, "num_beams", default=3)
    length_penalty: float = redeclared(Beam, "length_penalty", default=0.7)


@dataclass(frozen=True, kw_only=True)
class CaptionSearch(CaptionBeam, Search):
    """How to decode captions."""

    n_best: int = redeclared(Search, "n_best", help="captions per picture, best first")
    max_new_tokens: int = redeclared(
        Search, "max_new_tokens", default=40, help="maximum tokens per caption"
    )


def describe(
    model: Captioner, sentences: Sentences, rows: np.ndarray, *, first: int = 0, **options: Any
) -> list[list[Hypothesis]]:
    """Return the `n_best` captions of each picture, best first.

    `rows` are features (N, F) or (N, S, F), or pixels (N, P, P, 3) for a model with its own CNN.
    `options` are those of `CaptionSearch`. Samples follow from `seed`, `n_best` and the picture's
    number, counted from `first`. Unknown words are never written: their probability goes to the
    other words. Raises ConfigError if an argument is invalid.
    """
    decoder = without_unknown(model.decoder, sentences.vocab)
    search = CaptionSearch(**options)
    found: list[list[Hypothesis]] = []
    for begin in range(0, len(rows), BATCH):
        part = rows[begin : begin + BATCH]
        size = BATCH if begin else power_of_two(len(part))
        padded = np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])
        numbers = first + begin + np.minimum(np.arange(size), len(part) - 1)
        seen = _see(model, padded)
        made = find(decoder, sentences, seen, numbers, search, search.max_new_tokens)
        found += made[: len(part)]
    return found


def attend(
    model: Captioner, sentences: Sentences, rows: np.ndarray, ids: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return attention weights (T, S) of each picture and caption: a row for each token and END, a
    column for each cell of the grid, row by row; rows sum to 1. Raises ConfigError if the model has
    no attention.
    """
    if model.decoder.attention is None:
        raise ConfigError("this model has no attention", "train one whose way is attention")
    found = []
    for row, caption in zip(rows, ids, strict=True):
        tokens = ended([caption], sentences.end, power_of_two(len(caption) + 1))
        weights = reread(model.decoder, _see(model, row[None]), tokens, sentences.end)[1]
        found.append(np.asarray(weights)[0, : len(caption) + 1])
    return found


@eqx.filter_jit
def _see(model: Captioner, rows: Any) -> Condition:
    return model.condition(rows)
