"""Generation from a condition (one to many): predict every token after START, END included."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ...data import LabelledData, Sequences, TextEncoder, in_order_of_length
from ...data.vocab import REPLACEMENT
from ...decoding.stepper import text_stepper
from ...models.generator import Generator
from ...models.softmax import cross_entropy
from ...training.task import Evaluation, Loss, weighted_mean, weighted_sum
from ..label.task import LabelledTask
from .decode import generate

SAMPLED_CONDITIONS, SAMPLE_TOKENS = 10, 40


class GenerateTask(LabelledTask):
    """Minimise the mean of -ln p(token | condition, tokens before) over texts with END. The best
    model has the lowest loss. The data is read with `lines=True`.
    """

    kind = "generate"

    def __init__(self, data: LabelledData, *, batch: int = 32, seed: int = 0) -> None:
        super().__init__(data, batch=batch, seed=seed)
        assert isinstance(data.encoder, TextEncoder)
        self.vocab = data.encoder.vocab

    def loss(self, model: Generator, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return the mean over the batch's tokens."""
        mean = weighted_mean(*_nats(model, batch, key))
        return Loss(mean, mean, state)

    def evaluate(self, model: Generator) -> Evaluation:
        """Measure the loss of the held-out part."""
        return evaluate_generator(model, self.data.val, self.vocab)

    def sample(self, model: Generator, seed: int) -> str | None:
        """Write a text for each of the first conditions."""
        options: dict[str, Any] = {
            "max_new_tokens": SAMPLE_TOKENS,
            "temperature": 0.8,
            "seed": seed,
        }
        names = self.data.labels[:SAMPLED_CONDITIONS]
        given = model, text_stepper(model.decoder, self.vocab), self.vocab
        texts = [generate(*given, i, **options)[0] for i in range(len(names))]
        return "\n".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True))


def evaluate_generator(model: Generator, sequences: Sequences, vocab: Any) -> Evaluation:
    """Measure the loss of every token but START, and per character and byte, of which END counts as
    one; those two figures add the cost of spelling unknown characters.
    """
    batches = (sequences.padded(*batch) for batch in in_order_of_length(sequences.lengths))
    total = sum(float(_evaluate(model, batch)) for batch in batches)
    starts = len(sequences.lengths)
    tokens = len(sequences.values) - starts
    if vocab.unknown_id is None:
        metrics, bits = {}, total / math.log(2)
    else:
        unknown = int(np.sum(sequences.values == vocab.unknown_id))
        metrics = {"unknown_share": unknown / tokens} if unknown else {}
        bits = (total + unknown * vocab.spelling_nats(REPLACEMENT)) / math.log(2)
    return Evaluation(
        loss_nats=total / tokens,
        tokens=tokens,
        bits_per_char=bits / (vocab.n_chars(sequences.values) - starts),
        bits_per_byte=bits / (vocab.n_bytes(sequences.values) - starts),
        metrics=metrics,
    )


def _nats(
    model: Generator, batch: Any, key: PRNGKeyArray | None = None
) -> tuple[Float[Array, "B T"], Bool[Array, "B T"]]:
    """Return the losses of a batch's tokens, and which are real tokens."""
    lengths = jnp.maximum(batch.lengths - 1, 0)
    inputs, targets = batch.inputs[:, :-1], batch.inputs[:, 1:]
    nats = cross_entropy(model(inputs, batch.targets, lengths, key), targets)
    return nats, jnp.arange(nats.shape[1]) < lengths[:, None]


@eqx.filter_jit
def _evaluate(model: Generator, batch: Any) -> Float[Array, ""]:
    return weighted_sum(*_nats(model, batch))
