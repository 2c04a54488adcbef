"""Labels: of whole sequences (many to one), and of every step (many to many)."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..data import Batch, Buckets, LabelledData, Sequences, TextEncoder, in_order_of_length
from ..models.softmax import cross_entropy
from . import metrics
from .task import Evaluation, Loss


class LabelledTask(ABC):
    """Batches of sequences of similar length; what `ClassifyTask` and `TagTask` share.

    `batch` sequences a step, padded to one of a few lengths (see `Buckets`), each of which is
    one compiled program. Which ones follows from (seed, position) alone.
    """

    kind: str

    def __init__(self, data: LabelledData, *, batch: int = 32, seed: int = 0) -> None:
        self.data = data
        self.buckets = Buckets(data.train.lengths, batch, seed)
        self.tokens_per_batch = round(int(data.train.lengths.sum()) / self.buckets.per_epoch)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sizes, and the share of padding."""
        lengths = ", ".join(map(str, self.buckets.bounds))
        padding = f"{self.buckets.padding:.1%} of the time steps are padding"
        return (*self.data.notes, f"{padding}, to one of these lengths: {lengths}")

    def describe(self) -> dict[str, Any]:
        """The data, its labels and how it is encoded and batched."""
        encoder = self.data.encoder
        text = encoder if isinstance(encoder, TextEncoder) else None
        return {
            "kind": self.kind,
            "labels": list(self.data.labels),
            "encoder": encoder.describe(),
            **({"vocabulary": text.vocab.fingerprint()} if text else {}),
            "data_sha256": self.data.fingerprint(),
            "train_sequences": len(self.data.train.lengths),
            "val_sequences": len(self.data.val.lengths),
            "batch": self.buckets.batch,
            "seed": self.buckets.seed,
        }

    def save(self, directory: Path) -> None:
        """Write the vocabulary, where there is one."""
        self.data.encoder.save(directory)

    def initial_state(self, model: Any) -> Any:
        """Nothing is carried: every sequence begins anew."""
        return ()

    def batch(self, position: int) -> Batch:
        """Batch number `position`."""
        return self.data.train.padded(*self.buckets.rows(position))

    def sample(self, model: Any, seed: int) -> str | None:
        """Labels are not worth looking at."""
        return None

    @abstractmethod
    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Mean loss in nats, and the state as it was."""

    @abstractmethod
    def evaluate(self, model: Any) -> Evaluation:
        """The figures on the held-out part."""


class ClassifyTask(LabelledTask):
    """One label a sequence: the mean of -ln p(label); the best model is the most accurate."""

    kind = "classify"

    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Mean over the batch's sequences."""
        nats = cross_entropy(model(batch.inputs, batch.lengths, key), batch.targets)
        real = batch.lengths > 0
        mean = jnp.sum(jnp.where(real, nats, 0.0)) / jnp.sum(real)
        return Loss(mean, mean, state)

    def evaluate(self, model: Any) -> Evaluation:
        """Accuracy and macro F1 on the held-out part."""
        return evaluate_classifier(model, self.data.val, self.data.labels)


class TagTask(LabelledTask):
    """One label a step: the mean of -ln p(tag) over all steps; the best model is the most
    accurate, or for a BIO scheme the one of highest span F1.
    """

    kind = "tag"

    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Mean over the batch's steps."""
        nats = cross_entropy(model(batch.inputs, batch.lengths, key), batch.targets)
        real = jnp.arange(nats.shape[1]) < batch.lengths[:, None]
        mean = jnp.sum(jnp.where(real, nats, 0.0)) / jnp.sum(real)
        return Loss(mean, mean, state)

    def evaluate(self, model: Any) -> Evaluation:
        """Accuracy, macro F1 and span F1 on the held-out part."""
        return evaluate_tagger(model, self.data.val, self.data.labels)


def evaluate_classifier(model: Any, sequences: Sequences, labels: tuple[str, ...]) -> Evaluation:
    """Mean loss of a sequence, accuracy, macro F1, confusion matrix (a row a true label)."""
    log_p = log_probabilities(model, sequences)
    return _evaluation(np.stack(log_p), sequences.targets, labels, "sequence")


def evaluate_tagger(model: Any, sequences: Sequences, labels: tuple[str, ...]) -> Evaluation:
    """Mean loss of a step, accuracy, macro F1, confusion matrix; span F1 of BIO schemes."""
    log_p = log_probabilities(model, sequences)
    evaluation = _evaluation(np.concatenate(log_p), sequences.targets, labels, "step")
    if metrics.is_bio(labels):
        cuts = np.cumsum(sequences.lengths)[:-1]
        wanted = [[labels[i] for i in row] for row in np.split(sequences.targets, cuts)]
        found = [[labels[i] for i in row.argmax(axis=-1)] for row in log_p]
        evaluation.metrics["span_f1"] = metrics.span_f1(wanted, found)
        return Evaluation(**{**vars(evaluation), "best_by": "span_f1"})
    return evaluation


def log_probabilities(model: Any, sequences: Sequences) -> list[np.ndarray]:
    """ln p of every label, for each sequence: (C,), or (T, C) where the model labels steps."""
    found: list[Any] = [None] * len(sequences.lengths)
    for rows, steps in in_order_of_length(sequences.lengths):
        batch = sequences.padded(rows, steps)
        log_p = np.asarray(_log_softmax(model, batch.inputs, batch.lengths))
        for row, length, result in zip(rows, batch.lengths, log_p, strict=True):
            if row >= 0:
                found[row] = result[:length] if result.ndim == 2 else result
    return found


def unlabelled(encoded: list[np.ndarray]) -> Sequences:
    """Encoded sequences without labels."""
    return Sequences.join(encoded, [0] * len(encoded))


def _evaluation(
    log_p: np.ndarray, targets: np.ndarray, labels: tuple[str, ...], unit: str
) -> Evaluation:
    confusion = metrics.confusion_matrix(targets, log_p.argmax(axis=-1), len(labels))
    return Evaluation(
        loss_nats=-float(np.mean(log_p[np.arange(len(targets)), targets], dtype=np.float64)),
        tokens=len(targets),
        metrics={"accuracy": metrics.accuracy(confusion), "macro_f1": metrics.macro_f1(confusion)},
        best_by="accuracy",
        details={"labels": list(labels), "confusion": confusion.tolist()},
        unit=unit,
    )


@eqx.filter_jit
def _log_softmax(model: Any, inputs: Any, lengths: Any) -> Array:
    return jax.nn.log_softmax(model(inputs, lengths), axis=-1)
