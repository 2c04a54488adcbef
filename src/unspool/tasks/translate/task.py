"""Translation: predict every token of a sentence, and its END, from a source sentence."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ...data import Buckets, PairBatch, PairData, Pairs, in_order_of_length
from ...models.decoder import shifted
from ...models.softmax import smoothed_nats
from ...models.translator import Translator
from ...training.task import Evaluation, Loss, weighted_mean, weighted_sum
from .decode import translate

SAMPLES = 4  # held-out sentences to translate at every evaluation


class TranslateTask:
    """Minimise the mean of -ln p(y_t | x, y_1..y_{t-1}) over all tokens of a batch, each y with
    END.

    `batch` pairs per step, padded on both sides to one of a few lengths (see `Buckets`), each of
    which is one compiled program. The decoder reads the true tokens before (teacher forcing;
    Williams and Zipser 1989); with `label_smoothing` the targets are mixed with all other tokens.
    """

    def __init__(
        self, data: PairData, *, batch: int = 64, label_smoothing: float = 0.0, seed: int = 0
    ) -> None:
        self.data, self.label_smoothing = data, label_smoothing
        self.buckets = Buckets(data.train.lengths, batch, seed)
        tokens = int(data.train.target.lengths.sum())
        self.tokens_per_batch = round(tokens / self.buckets.per_epoch)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes on sizes, vocabularies, what was left out, and the lengths of batches."""
        source, target = len(self.data.source.vocab), len(self.data.target.vocab)
        words = f"{target:,} tokens, shared" if self.data.shared else f"{source:,} and {target:,}"
        lengths = ", ".join(map(str, self.buckets.bounds))
        return (
            *self.data.notes,
            f"vocabulary: {words}",
            f"pairs are padded to one of these lengths: {lengths}",
        )

    def describe(self) -> dict[str, Any]:
        """Describe the data and how it is batched."""
        return {
            "kind": "translate",
            "tokens": self.data.target.vocab.kind,
            "shared": self.data.shared,
            "vocabulary": self.data.target.vocab.fingerprint(),
            "source_vocabulary": self.data.source.vocab.fingerprint(),
            "data_sha256": self.data.fingerprint(),
            "train_pairs": len(self.data.train.lengths),
            "val_pairs": len(self.data.val.lengths),
            "label_smoothing": self.label_smoothing,
            "batch": self.buckets.batch,
            "seed": self.buckets.seed,
        }

    def save(self, directory: Path) -> None:
        """Write both vocabularies."""
        self.data.save_vocabularies(directory)

    def initial_state(self, model: Any) -> Any:
        """Return an empty state: nothing is carried between pairs."""
        return ()

    def batch(self, position: int) -> PairBatch:
        """Return batch number `position`."""
        return self.data.train.padded(*self.buckets.rows(position))

    def loss(self, model: Translator, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return the mean over the batch's target tokens."""
        start = self.data.target.end
        smoothed, nats, real = _nats(model, batch, start, key, self.label_smoothing)
        return Loss(weighted_mean(smoothed, real), weighted_mean(nats, real), state)

    def evaluate(self, model: Translator) -> Evaluation:
        """Measure the loss of the held-out part, unsmoothed."""
        return evaluate_translator(model, self.data.val, self.data.target.end)

    def sample(self, model: Translator, seed: int) -> str | None:
        """Translate some held-out sentences."""
        source = self.data.val.source
        rows = source.split()[:SAMPLES]
        found = translate(model, self.data.target, rows, num_beams=1)
        texts = [self.data.source.decode(row[:-1]) for row in rows]
        return "\n".join(f"{x}\n -> {y.text}" for x, (y,) in zip(texts, found, strict=True))


def evaluate_translator(model: Translator, pairs: Pairs, start: int) -> Evaluation:
    """Measure the loss per target token, END included."""
    total = 0.0
    for rows, steps in in_order_of_length(pairs.lengths):
        total += float(_evaluate(model, pairs.padded(rows, steps), start))
    tokens = int(pairs.target.lengths.sum())
    return Evaluation(loss_nats=total / tokens, tokens=tokens)


def _nats(
    model: Translator,
    batch: Any,
    start: Any,
    key: PRNGKeyArray | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Float[Array, "B T"], Float[Array, "B T"], Bool[Array, "B T"]]:
    """Return the losses of a batch's target tokens, smoothed and unsmoothed, and which are real."""
    readouts = model(
        batch.source, batch.source_lengths, shifted(batch.target, start), batch.target_lengths, key
    )
    smoothed, nats = smoothed_nats(model, readouts, batch.target, label_smoothing)
    return smoothed, nats, jnp.arange(nats.shape[1]) < batch.target_lengths[:, None]


@eqx.filter_jit
def _evaluate(model: Translator, batch: Any, start: Any) -> Float[Array, ""]:
    _, nats, real = _nats(model, batch, start)
    return weighted_sum(nats, real)
