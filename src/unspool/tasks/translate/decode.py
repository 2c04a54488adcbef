"""Decode translations: encode, search in batches, and compute attention."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np

from ...data import Sentences, Sequences
from ...data.sequences import power_of_two
from ...decoding.hypotheses import Hypothesis, ended, find, reread
from ...decoding.options import COUNT, Search
from ...decoding.stepper import without_unknown
from ...errors import ConfigError
from ...models.decoder import Condition
from ...models.translator import Translator
from ...options import option, redeclared

SHORTEST = 16  # shorter sentences are padded to this many tokens


@dataclass(frozen=True, kw_only=True)
class TranslateSearch(Search):
    """How to decode translations."""

    n_best: int = redeclared(Search, "n_best", help="translations per sentence, best first")
    max_new_tokens: int | None = redeclared(
        Search, "max_new_tokens", help="maximum tokens per translation (twice the sentence's)"
    )
    batch: int = option(32, "how many sentences to decode at once", at_least=1, below=COUNT)


def translate(
    model: Translator,
    target: Sentences,
    sources: Sequence[np.ndarray],
    *,
    first: int = 0,
    **options: Any,
) -> list[list[Hypothesis]]:
    """Return the `n_best` translations of each encoded sentence, best first.

    `options` are those of `TranslateSearch`. Samples follow from `seed`, `n_best` and the
    sentence's number, counted from `first`. `max_new_tokens` is by default twice the sentence's
    tokens, rounded up a little. The unknown token is never written: its probability goes to the
    others. Raises ConfigError if an argument is invalid.
    """
    search = TranslateSearch(**options)
    decoder = without_unknown(model.decoder, target.vocab)
    if not sources:
        return []
    rows = Sequences.join(list(sources), [0] * len(sources))
    found: list[Any] = [None] * len(sources)
    for numbers, steps, real in _batches(rows.lengths, search.batch):
        inputs = rows.padded(numbers, steps)
        condition = _encode(model, inputs.inputs, inputs.lengths)
        most = search.max_new_tokens or 2 * steps + 10
        made = find(decoder, target, condition, first + numbers, search, most)
        for number, translations in zip(numbers[:real], made, strict=False):
            found[number] = translations
    return found


def attend(
    model: Translator, target: Sentences, sources: Sequence[np.ndarray], ids: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return attention weights (T, S) of each pair: a row for each token of the translation and
    END, a column for each of the sentence and END; rows sum to 1. Raises ConfigError if the model
    has no attention.
    """
    if model.decoder.attention is None:
        raise ConfigError("this model has no attention", "train one with luong's or bahdanau's")
    found = []
    for source, row in zip(sources, ids, strict=True):
        steps = [power_of_two(max(len(x) + 1, SHORTEST)) for x in (source, row)]
        padded = Sequences.join([source], [0]).padded(np.arange(1), steps[0])
        condition = _encode(model, padded.inputs, padded.lengths)
        tokens = ended([row], target.end, steps[1])
        weights = reread(model.decoder, condition, tokens, target.end)[1]
        found.append(np.asarray(weights)[0, : len(row) + 1, : len(source)])
    return found


def _batches(lengths: np.ndarray, batch: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield the row numbers of a batch, the length to pad to, and how many rows are real.

    Both sizes are powers of two, so that few programs are compiled, whatever the file; the length
    is that of the row's own bucket, so that no row depends on its neighbours. If there are too few
    rows, the first is repeated: an empty row might never end.
    """
    buckets = np.array([power_of_two(int(n)) for n in np.maximum(lengths, SHORTEST)])
    for steps in np.unique(buckets).tolist():
        rows = np.flatnonzero(buckets == steps)
        rows = rows[np.argsort(lengths[rows], kind="stable")]  # similar lengths end together
        size = min(batch, power_of_two(len(rows)))
        for begin in range(0, len(rows), size):
            part = rows[begin : begin + size]
            yield np.append(part, np.full(size - len(part), part[0])), steps, len(part)


@eqx.filter_jit
def _encode(model: Translator, inputs: Any, lengths: Any) -> Condition:
    return model.encode(inputs, lengths)
