"""Translations out of a model: greedy, drawn, or by beam search; and what it looked at."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..cells.base import check_sizes
from ..data import PairBatch, Sentences, Sequences
from ..errors import ConfigError
from ..models.decoder import DecoderState, shifted
from ..models.softmax import token_nats
from ..models.translator import Translator
from .beam import beam_search
from .conditional import Started, until_end
from .sampling import stream

BATCH = 32  # sentences decoded at once
SHORTEST = 16  # shorter sentences are padded to so many tokens


class Translation(NamedTuple):
    """One translation: `score` is log_p / (tokens with END) ** length_penalty, `log_p` the natural
    logarithm of its probability; `finished` is False where END had not come at the most tokens.
    """

    text: str
    score: float
    log_p: float
    finished: bool
    ids: np.ndarray


class TranslationStepper(eqx.Module):
    """Sentences: the condition are their ids (B, S) and lengths (B,)."""

    model: Translator

    def start(self, condition: tuple[Any, Any]) -> DecoderState:
        """The decoder's state before START."""
        return self.model.decoder.start(self.model.encode(*condition))

    def step(
        self, tokens: Int[Array, "R"], state: DecoderState
    ) -> tuple[Float[Array, "R V"], DecoderState]:
        """Logits and the next state."""
        return self.model.decoder.step(tokens, state)

    def reorder(self, state: DecoderState, rows: Int[Array, "R"]) -> DecoderState:
        """Rows of the cells' states; what is told of stays, as rows keep to their condition."""
        cells = [type(cell)(*(leaf[rows] for leaf in cell)) for cell in state.cells]
        return state._replace(cells=tuple(cells))


def translate(
    model: Translator,
    target: Sentences,
    sources: Sequence[np.ndarray],
    *,
    num_beams: int = 5,
    length_penalty: float = 1.0,
    n_best: int = 1,
    max_new_tokens: int | None = None,
    do_sample: bool = False,
    batch: int = BATCH,
    seed: int = 0,
    first: int = 0,
    **sampling: Any,
) -> list[list[Translation]]:
    """For each encoded sentence its `n_best` translations, best first.

    By beam search (`num_beams` 1: greedy; see `beam_search`), or with `do_sample` drawn, where
    `sampling` are the options of `stream` (temperature, top_k, top_p). What is drawn follows from
    `seed`, `n_best` and the sentence's number, counted from `first`. `max_new_tokens` is by
    default twice the sentence's tokens, rounded up a little. Raises ConfigError where an argument
    breaks its rule.
    """
    check_sizes(num_beams=num_beams, n_best=n_best, batch=batch)
    if sampling and not do_sample:
        raise ConfigError(f"{', '.join(sampling)} needs do_sample: beam search draws nothing")
    if n_best > num_beams and not do_sample:
        raise ConfigError(f"n_best must be at most num_beams ({num_beams}), got {n_best}")
    if not sources:
        return []
    rows = Sequences.join(list(sources), [0] * len(sources))
    found: list[Any] = [None] * len(sources)
    for numbers, steps, real in _batches(rows.lengths, batch):
        inputs = rows.padded(numbers, steps)
        most = max_new_tokens or 2 * steps + 10
        if do_sample:
            options = {"max_new_tokens": most, "seed": seed, **sampling}
            made = _draw(model, target, inputs, first + numbers, n_best, length_penalty, options)
        else:
            made = _search(model, target, inputs, num_beams, length_penalty, most, n_best)
        for number, translations in zip(numbers[:real], made, strict=False):
            found[number] = translations
    return found


def attend(
    model: Translator, target: Sentences, sources: Sequence[np.ndarray], ids: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Attention weights (T, S) of each pair: a row for each token of the translation and END, a
    column for each of the sentence and END; rows sum to 1. ConfigError for a model without.
    """
    if model.decoder.attention is None:
        raise ConfigError("this model has no attention: train with --attention luong or bahdanau")
    found = []
    for source, row in zip(sources, ids, strict=True):
        steps = [_power_of_two(max(len(x) + 1, SHORTEST)) for x in (source, row)]
        pair = _pair([source], [row], steps, target.end)
        weights = _reread(model, pair, target.end)[1]
        found.append(np.asarray(weights)[0, : len(row) + 1, : len(source)])
    return found


def _batches(lengths: np.ndarray, batch: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Row numbers of a batch, the length to pad to, and how many rows are real.

    Both sizes are powers of two, so that few programs are compiled, whatever the file; the length
    is that of the row's own bucket, so that no row depends on its neighbours. Where rows are too
    few the first is repeated: an empty row might never come to an end.
    """
    buckets = np.array([_power_of_two(int(n)) for n in np.maximum(lengths, SHORTEST)])
    for steps in np.unique(buckets).tolist():
        rows = np.flatnonzero(buckets == steps)
        rows = rows[np.argsort(lengths[rows], kind="stable")]  # similar ones end together
        size = min(batch, _power_of_two(len(rows)))
        for begin in range(0, len(rows), size):
            part = rows[begin : begin + size]
            yield np.append(part, np.full(size - len(part), part[0])), steps, len(part)


def _power_of_two(number: int) -> int:
    """The smallest that is not below."""
    return 1 << (number - 1).bit_length()


def _search(
    model: Translator,
    target: Sentences,
    inputs: Any,
    num_beams: int,
    penalty: float,
    most: int,
    n_best: int,
) -> list[list[Translation]]:
    end = target.end
    made = beam_search(
        TranslationStepper(model), (inputs.inputs, inputs.lengths), start=end, end=end,
        num_beams=num_beams, length_penalty=penalty, max_new_tokens=most,
    )  # fmt: skip
    columns = [np.asarray(column)[:, :n_best] for column in made]
    found = []
    for tokens, lengths, scores, log_p, finished in zip(*columns, strict=True):
        ids = [row[:n] for row, n in zip(tokens, lengths, strict=True)]
        texts = map(target.decode, ids)
        parts = zip(texts, scores.tolist(), log_p.tolist(), finished.tolist(), ids, strict=True)
        found.append([Translation(*part) for part in parts if np.isfinite(part[1])])
    return found


def _draw(
    model: Translator,
    target: Sentences,
    inputs: Any,
    numbers: np.ndarray,
    count: int,
    penalty: float,
    options: dict[str, Any],
) -> list[list[Translation]]:
    stepper = TranslationStepper(model)
    started = Started(stepper, _start(stepper, inputs.inputs, inputs.lengths), len(numbers))
    keys = (numbers[:, None] * count + np.arange(count)).reshape(-1)
    blocks = stream(started, [target.end], count=len(keys), rows=keys, **options)
    rows = until_end(blocks, target.end)
    pair = _pair(
        [row[:n] for row, n in zip(*(np.repeat(x, count, 0) for x in inputs[::2]), strict=True)],
        [ids for ids, _ in rows],
        [inputs.inputs.shape[1], options["max_new_tokens"] + 1],
        target.end,
    )
    nats = np.asarray(_reread(model, pair, target.end)[0], np.float64)
    made = []
    for (ids, finished), row in zip(rows, nats, strict=True):
        tokens = len(ids) + finished
        log_p = -float(row[:tokens].sum())
        made.append(Translation(target.decode(ids), log_p / tokens**penalty, log_p, finished, ids))
    made_of = [made[i : i + count] for i in range(0, len(made), count)]
    return [sorted(drawn, key=lambda one: -one.score) for drawn in made_of]


def _pair(sources: Any, targets: Any, steps: list[int], end: int) -> PairBatch:
    """Padded arrays of both sides, END behind each target."""
    sides = []
    for rows, size in ((sources, steps[0]), ([np.append(row, end) for row in targets], steps[1])):
        padded = Sequences.join(list(rows), [0] * len(rows)).padded(np.arange(len(rows)), size)
        sides += [padded.inputs, padded.lengths]
    return PairBatch(*sides)


@eqx.filter_jit
def _start(stepper: TranslationStepper, inputs: Any, lengths: Any) -> DecoderState:
    return stepper.start((inputs, lengths))


@eqx.filter_jit
def _reread(
    model: Translator, pair: Any, start: Any
) -> tuple[Float[Array, "B T"], Float[Array, "B T S"] | None]:
    """-ln p of each token of given translations, and the attention weights before it."""
    condition = model.encode(pair.source, pair.source_lengths)
    given = shifted(jnp.asarray(pair.target), start)
    readouts, weights = model.decoder.read(given, condition)
    return token_nats(model, readouts, pair.target), weights
