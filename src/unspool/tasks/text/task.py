"""Language modelling: truncated backpropagation through a text in lanes."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...bptt import carry
from ...cells.base import check_sizes
from ...data import (
    Chunk,
    Lanes,
    Size,
    Text,
    Vocabulary,
    evaluation_chunks,
    evaluation_windows,
)
from ...decoding import stream
from ...decoding.stepper import text_stepper
from ...errors import ConfigError
from ...limits import MAX_SAMPLE_BYTES
from ...models.language import LanguageModel
from ...models.softmax import sampled_nats, token_nats
from ...training.task import Evaluation, Loss, weighted_sum

FULL_SOFTMAX_UP_TO = 10_000  # tokens in the vocabulary, for softmax="auto"
EVAL_BATCH, EVAL_STEPS, EVAL_CONTEXT = 32, 128, 256


class LanguageTask:
    """Predict every next token of a text.

    The training part becomes `batch` contiguous lanes, read in chunks of `steps_per_chunk` tokens;
    the state is carried from chunk to chunk, detached at the boundary, and reset when an epoch
    begins (see `Lanes`). `softmax` is "full", "sampled" (the target against `softmax_samples`
    sampled tokens; evaluation is always full) or "auto": sampled above 10,000 tokens. Raises
    DataError if the text is too short for one chunk.
    """

    def __init__(
        self,
        text: Text,
        *,
        batch: int = 64,
        steps_per_chunk: int = 64,
        softmax: str = "auto",
        softmax_samples: int = 1024,
        sample_tokens: int = 300,
        seed: int = 0,
    ) -> None:
        if softmax not in ("auto", "full", "sampled"):
            raise ConfigError(f"softmax must be auto, full or sampled, got {softmax!r}")
        check_sizes(softmax_samples=softmax_samples, sample_tokens=sample_tokens + 1)
        self.text = text
        self.lanes = Lanes(text.train, batch, steps_per_chunk, seed)
        self.tokens_per_batch = batch * steps_per_chunk
        self.sample_tokens = sample_tokens
        if softmax == "auto":
            softmax = "full" if len(text.vocab) <= FULL_SOFTMAX_UP_TO else "sampled"
        self.softmax = softmax
        self.softmax_samples = min(softmax_samples, len(text.vocab))
        self.by_frequency = _by_frequency(text) if softmax == "sampled" else None

    @property
    def notes(self) -> tuple[str, ...]:
        train, val = len(self.text.train), len(self.text.val)
        sizes = (
            f"{train:,} tokens to train on, {val:,} held out, {self.text.vocab.known:,} distinct"
        )
        shares = [
            size.unknown / max(1, tokens)
            for size, tokens in ((self.text.train_size, train), (self.text.val_size, val))
        ]
        chunk = (
            "an epoch is one chunk of batch x steps_per_chunk, so that no state is carried: a "
            "smaller batch would have longer lanes",
        ) * (self.lanes.chunks_per_epoch == 1)
        unknown = f"unknown: {shares[0]:.1%} of the training part, {shares[1]:.1%} of the held-out"
        return (*self.text.notes, sizes, *([unknown] if any(shares) else []), *chunk)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "language",
            "sources": list(self.text.sources),
            "text_sha256": self.text.sha256,
            "vocabulary": self.text.vocab.fingerprint(),
            "train_tokens": len(self.text.train),
            "val_tokens": len(self.text.val),
            "batch": self.lanes.batch,
            "steps_per_chunk": self.lanes.steps,
            "softmax": self.softmax,
            "softmax_samples": self.softmax_samples,
            "seed": self.lanes.seed,
        }

    def save(self, directory: Path) -> None:
        self.text.vocab.save(directory)

    def initial_state(self, model: LanguageModel) -> Any:
        return model.initial_state(self.lanes.batch)

    def batch(self, position: int) -> Chunk:
        return self.lanes.chunk(position)

    def loss(self, model: LanguageModel, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        inputs, targets, wraps = batch
        k_dropout, k_softmax = jax.random.split(key)
        state = carry(state, model.initial_state(len(inputs)), wraps)
        hidden, state = model.hidden(inputs, state, key=k_dropout)
        if self.softmax == "sampled":
            estimates = sampled_nats(
                model, hidden, targets, self.softmax_samples, k_softmax, self.by_frequency
            )
            return Loss(jnp.mean(estimates), None, state)
        nats = jnp.mean(token_nats(model, hidden, targets))
        return Loss(nats, nats, state)

    def evaluate(self, model: LanguageModel) -> Evaluation:
        return evaluate(model, self.text.val, self.text.vocab, self.text.val_size)

    def sample(self, model: LanguageModel, seed: int) -> Iterator[str] | None:
        return self._sample(model, seed) if self.sample_tokens else None

    def _sample(self, model: LanguageModel, seed: int) -> Iterator[str]:
        """Yield nothing while tokens are sampled, then their text, up to `MAX_SAMPLE_BYTES`: the
        tokens of a run that somebody sent may be of any length.
        """
        first, left = self.text.val[:1], MAX_SAMPLE_BYTES
        stepper = text_stepper(model, self.text.vocab)
        tokens = [first]
        for (block,) in stream(
            stepper, first, max_new_tokens=self.sample_tokens, temperature=0.8, seed=seed
        ):
            if (left := left - self.text.vocab.n_bytes(block)) < 0:
                break
            tokens.append(block)
            yield ""
        yield self.text.vocab.decode(np.concatenate(tokens))


def _by_frequency(text: Text) -> np.ndarray:
    """Order the token ids by frequency in the training part, the most frequent first."""
    counts = np.zeros(len(text.vocab), np.int64)
    for begin in range(0, len(text.train), 1 << 20):  # memory-mapped
        counts += np.bincount(text.train[begin : begin + (1 << 20)], minlength=len(counts))
    return np.argsort(-counts, kind="stable").astype(np.int32)


def evaluate(
    model: LanguageModel,
    tokens: np.ndarray,
    vocab: Vocabulary,
    size: Size,
    window: int | None = None,
) -> Evaluation:
    """Measure the loss of every token but the first, under the full softmax; `size` is the text's.

    The tokens are read in lanes; each lane starts with unscored tokens from before it, so that only
    the first predictions have no context. With `window`, every `window` tokens start from a new
    state instead, so that a token is predicted from 1 to `window` tokens before it, as by a model
    of that context. Bits per character and byte are taken over the whole text but its first token,
    and add the cost of spelling unknown tokens (`Vocabulary.unknown`), so that vocabularies can be
    compared; they are None if that cost is not known. `unknown_share` is the share of unknown
    tokens. Raises DataError if there are fewer than 2 tokens.
    """
    if window is None:
        passes = iter([evaluation_chunks(tokens, EVAL_BATCH, EVAL_STEPS, EVAL_CONTEXT)])
    else:
        passes = evaluation_windows(tokens, window, EVAL_BATCH, EVAL_STEPS)
    total = sum(_pass_nats(model, chunks) for chunks in passes)
    bits, predicted = (total + size.spelling_nats) / math.log(2), len(tokens) - 1
    is_known = not math.isnan(size.spelling_nats)
    return Evaluation(
        loss_nats=total / predicted,
        bits_per_char=bits / max(1, size.chars - size.first_chars) if is_known else None,
        bits_per_byte=bits / max(1, size.bytes - size.first_bytes) if is_known else None,
        tokens=predicted,
        metrics={"unknown_share": size.unknown / predicted} if size.unknown else {},
    )


def _pass_nats(model: LanguageModel, chunks: Iterable[tuple[Any, Any, Any]]) -> float:
    """Sum the weighted nats of chunks, starting from a new state."""
    total, state = 0.0, None
    for inputs, targets, weights in chunks:
        state = model.initial_state(len(inputs)) if state is None else state
        nats, state = _chunk_nats(model, inputs, targets, weights, state)
        total += float(nats)
    return total


@eqx.filter_jit
def _chunk_nats(
    model: LanguageModel, inputs: Any, targets: Any, weights: Any, state: Any
) -> tuple[Float[Array, ""], Any]:
    hidden, state = model.hidden(inputs, state)
    return weighted_sum(token_nats(model, hidden, targets), weights), state
