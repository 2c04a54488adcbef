"""Decode sentences from a condition: greedily, by sampling, or by beam search."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..data import Sentences, Sequences
from ..models.decoder import Condition, Decoder, DecoderState, shifted
from ..models.softmax import token_nats
from .beam import beam_search
from .conditional import Started, until_end
from .length_penalty import LengthPenalty
from .options import Search
from .sampling import stream


class Hypothesis(NamedTuple):
    """A sentence: `score` is log_p divided by the `LengthPenalty`, `log_p` the natural logarithm of
    its probability; `finished` is False if there was no END within the maximum number of tokens.
    """

    text: str
    score: float
    log_p: float
    finished: bool
    ids: np.ndarray


class ConditionStepper(eqx.Module):
    """Adapt a Decoder to the Stepper protocol."""

    decoder: Decoder

    @property
    def network(self) -> None:
        """Return None: the native kernel does not run decoders with a condition."""

    def start(self, condition: Condition) -> DecoderState:
        """Return the decoder's state before START."""
        return self.decoder.start(condition)

    def step(
        self, tokens: Int[Array, "R"], state: DecoderState
    ) -> tuple[Float[Array, "R V"], DecoderState]:
        """Return logits and the next state."""
        return self.decoder.step(tokens, state)

    def reorder(self, state: DecoderState, rows: Int[Array, "R"]) -> DecoderState:
        """Reorder the cell states; the condition is unchanged, as rows stay within their
        condition.
        """
        cells = [type(cell)(*(leaf[rows] for leaf in cell)) for cell in state.cells]
        return state._replace(cells=tuple(cells))


def find(
    decoder: Decoder,
    sentences: Sentences,
    condition: Condition,
    numbers: np.ndarray,
    search: Search,
    most: int,
) -> list[list[Hypothesis]]:
    """Return the `n_best` sentences of at most `most` tokens for each row of `condition`, best
    first.

    Samples follow from the seed, `n_best` and the row's number in `numbers`.
    """
    if search.do_sample:
        return _sample(decoder, sentences, condition, numbers, search, most)
    end = sentences.end
    options = {**search.arguments(beam_search), "max_new_tokens": most}
    made = beam_search(ConditionStepper(decoder), condition, start=end, end=end, **options)
    columns = [np.asarray(column)[:, : search.n_best] for column in made]
    found = []
    for tokens, lengths, scores, log_p, finished in zip(*columns, strict=True):
        ids = [row[:n] for row, n in zip(tokens, lengths, strict=True)]
        texts = map(sentences.decode, ids)
        parts = zip(texts, scores.tolist(), log_p.tolist(), finished.tolist(), ids, strict=True)
        found.append([Hypothesis(*part) for part in parts if np.isfinite(part[1])])
    return found


@eqx.filter_jit
def reread(
    decoder: Decoder, condition: Condition, tokens: Any, start: Any
) -> tuple[Float[Array, "B T"], Float[Array, "B T S"] | None]:
    """Return -ln p of each token of given sentences, and the attention weights before it."""
    readouts, weights = decoder.read(shifted(jnp.asarray(tokens), start), condition)
    return token_nats(decoder, readouts, tokens), weights


def ended(rows: Sequence[np.ndarray], end: int, steps: int) -> np.ndarray:
    """Return ids of sentences, each followed by END, padded to `steps`."""
    joined = Sequences.join([np.append(row, end) for row in rows], [0] * len(rows))
    return joined.padded(np.arange(len(rows)), steps).inputs


def _sample(
    decoder: Decoder,
    sentences: Sentences,
    condition: Condition,
    numbers: np.ndarray,
    search: Search,
    most: int,
) -> list[list[Hypothesis]]:
    stepper, count, end = ConditionStepper(decoder), search.n_best, sentences.end
    started = Started(stepper, _start(stepper, condition), len(numbers))
    keys = (numbers[:, None] * count + np.arange(count)).reshape(-1)
    options = {**search.arguments(stream), "max_new_tokens": most}
    blocks = stream(started, [end], count=len(keys), rows=keys, **options)
    rows = until_end(blocks, end)
    tokens = ended([ids for ids, _ in rows], end, most + 1)
    each = jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), condition)
    nats = np.asarray(reread(decoder, each, tokens, end)[0], np.float64)
    made, penalty = [], LengthPenalty.create(search.length_penalty, search.length_penalty_form)
    for (ids, finished), row in zip(rows, nats, strict=True):
        size = len(ids) + finished
        log_p = -float(row[:size].sum())
        score = penalty.score(log_p, size)
        made.append(Hypothesis(sentences.decode(ids), score, log_p, finished, ids))
    made_of = [made[i : i + count] for i in range(0, len(made), count)]
    return [sorted(one, key=lambda found: -found.score) for one in made_of]


@eqx.filter_jit
def _start(stepper: ConditionStepper, condition: Condition) -> DecoderState:
    return stepper.start(condition)
