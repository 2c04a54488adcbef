"""Sentences out of a decoder that tells of a condition: greedy, sampled, or by beam search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..cells.base import check_sizes
from ..data import Sentences, Sequences
from ..errors import ConfigError
from ..models.decoder import Condition, Decoder, DecoderState, shifted
from ..models.softmax import token_nats
from .beam import beam_search
from .conditional import Started, until_end
from .length_penalty import LengthPenalty
from .sampling import stream


class Hypothesis(NamedTuple):
    """One sentence: `score` is log_p divided by the `LengthPenalty`, `log_p` the natural
    logarithm of its probability; `finished` is False where END had not come at the most tokens.
    """

    text: str
    score: float
    log_p: float
    finished: bool
    ids: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Search:
    """How sentences are looked for: by beam search (`num_beams` 1: greedy; see `beam_search`), or
    with `do_sample` sampled (see `stream`). Raises ConfigError where an argument breaks its rule.
    """

    num_beams: int = 5
    length_penalty: float = 1.0
    length_penalty_form: str = "power"
    n_best: int = 1
    max_new_tokens: int | None = None
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(num_beams=self.num_beams, n_best=self.n_best)
        sampling = {"temperature": 1.0, "top_k": None, "top_p": None}
        given = [name for name, default in sampling.items() if getattr(self, name) != default]
        if given and not self.do_sample:
            raise ConfigError(f"{', '.join(given)} needs do_sample, as beam search samples nothing")
        if self.n_best > self.num_beams and not self.do_sample:
            raise ConfigError(
                f"n_best must be at most num_beams ({self.num_beams}), got {self.n_best}"
            )


class ConditionStepper(eqx.Module):
    """A decoder, told what it tells of."""

    decoder: Decoder

    @property
    def network(self) -> None:
        """None: the native kernel runs no decoder with a condition."""

    def start(self, condition: Condition) -> DecoderState:
        """The decoder's state before START."""
        return self.decoder.start(condition)

    def step(
        self, tokens: Int[Array, "R"], state: DecoderState
    ) -> tuple[Float[Array, "R V"], DecoderState]:
        """Logits and the next state."""
        return self.decoder.step(tokens, state)

    def reorder(self, state: DecoderState, rows: Int[Array, "R"]) -> DecoderState:
        """Rows of the cells' states; what is told of stays, as rows keep to their condition."""
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
    """For each row of `condition` its `n_best` sentences of at most `most` tokens, best first.

    What is sampled follows from the seed, `n_best` and the row's number in `numbers`.
    """
    if search.do_sample:
        return _sample(decoder, sentences, condition, numbers, search, most)
    end = sentences.end
    made = beam_search(
        ConditionStepper(decoder), condition, start=end, end=end, num_beams=search.num_beams,
        length_penalty=search.length_penalty, length_penalty_form=search.length_penalty_form,
        max_new_tokens=most,
    )  # fmt: skip
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
    """-ln p of each token of given sentences, and the attention weights before it."""
    readouts, weights = decoder.read(shifted(jnp.asarray(tokens), start), condition)
    return token_nats(decoder, readouts, tokens), weights


def ended(rows: Sequence[np.ndarray], end: int, steps: int) -> np.ndarray:
    """Ids of sentences with END behind each, padded to `steps`."""
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
    names = ("temperature", "top_k", "top_p", "seed")
    options = {name: getattr(search, name) for name in names}
    blocks = stream(started, [end], count=len(keys), rows=keys, max_new_tokens=most, **options)
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
