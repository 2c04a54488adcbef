"""Labels of whole sequences (many to one) and of every step (many to many)."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ...data import (
    Batch,
    Buckets,
    LabelledData,
    Sequences,
    TextEncoder,
    in_order_of_length,
)
from ...errors import ConfigError
from ...models.softmax import cross_entropy
from ...training.task import LOSS, Evaluation, Loss, weighted_mean
from . import metrics
from .balance import class_weights as weights_of_classes


class LabelledTask(ABC):
    """Batches of sequences of similar length: shared by all tasks of labelled sequences.

    `batch` sequences per step, padded to one of a few lengths (see `Buckets`), each of which is one
    compiled program. Which sequences follows from (seed, position) alone.
    """

    kind: str

    def __init__(self, data: LabelledData, *, batch: int = 32, seed: int = 0) -> None:
        self.data = data
        self.buckets = Buckets(data.train.lengths, batch, seed)
        self.tokens_per_batch = round(int(data.train.lengths.sum()) / self.buckets.per_epoch)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes on sizes and the share of padding."""
        lengths = ", ".join(map(str, self.buckets.bounds))
        padding = f"{self.buckets.padding:.1%} of the time steps are padding"
        return (*self.data.notes, f"{padding}, to one of these lengths: {lengths}")

    def describe(self) -> dict[str, Any]:
        """Describe the data, its labels, and how it is encoded and batched."""
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
        """Write the vocabulary, if there is one."""
        self.data.encoder.save(directory)

    def initial_state(self, model: Any) -> Any:
        """Return an empty state: nothing is carried between sequences."""
        return ()

    def batch(self, position: int) -> Batch:
        """Return batch number `position`."""
        return self.data.train.padded(*self.buckets.rows(position))

    def sample(self, model: Any, seed: int) -> str | None:
        """Return None: there is nothing to show for labels."""
        return None

    @abstractmethod
    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return the mean loss in nats, and the unchanged state."""

    @abstractmethod
    def evaluate(self, model: Any) -> Evaluation:
        """Measure the metrics on the held-out part."""


class LabellingTask(LabelledTask):
    """Shared by tasks that predict labels.

    `best_by` names the metric that chooses the best model, or "loss"; None is the first of
    `criteria`. With `class_weights` "balanced" the objective is sum(w_y x) / sum(w_y) over the
    batch, with w from `class_weights`; losses that are shown have no weights. Raises ConfigError if
    either has another value.
    """

    criteria: tuple[str, ...] = ("accuracy", "macro_f1", LOSS)

    def __init__(
        self,
        data: LabelledData,
        *,
        batch: int = 32,
        best_by: str | None = None,
        class_weights: str = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(data, batch=batch, seed=seed)
        self.best_by = self.criteria[0] if best_by is None else best_by
        if self.best_by not in self.criteria:
            known = ", ".join(self.criteria)
            raise ConfigError(f"best_by must be one of {known}, got {best_by!r}")
        self.class_weights = class_weights
        self.weights = weights_of_classes(class_weights, data.train.targets, len(data.labels))

    def describe(self) -> dict[str, Any]:
        """Describe the task as for all labelled tasks, and these options."""
        return {
            **super().describe(), "best_by": self.best_by, "class_weights": self.class_weights,
        }  # fmt: skip

    def _loss(self, objective: Any, nats: Any, targets: Any, real: Any, state: Any) -> Loss:
        """Return the means of the objective and of the cross-entropies over `real` items."""
        weights = jnp.where(real, jnp.asarray(self.weights)[targets], 0.0)
        return Loss(weighted_mean(objective, weights), weighted_mean(nats, real), state)


class ClassifyTask(LabellingTask):
    """One label per sequence: the mean of -ln p(label); see `LabellingTask` for the options."""

    kind = "classify"

    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return the mean over the batch's sequences."""
        nats = cross_entropy(model(batch.inputs, batch.lengths, key), batch.targets)
        return self._loss(nats, nats, batch.targets, batch.lengths > 0, state)

    def evaluate(self, model: Any) -> Evaluation:
        """Measure accuracy and macro F1 on the held-out part."""
        found = evaluate_classifier(model, self.data.val, self.data.labels)
        return replace(found, best_by=self.best_by)


class TagTask(LabellingTask):
    """One label per step: the mean of -ln p(tag) over all steps; see `LabellingTask` for the
    options. For BIO schemes `best_by` may be span F1, which is the default then.
    """

    kind = "tag"

    def __init__(self, data: LabelledData, **options: Any) -> None:
        if metrics.is_bio(data.labels):
            self.criteria = ("span_f1", *self.criteria)
        super().__init__(data, **options)

    def loss(self, model: Any, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return the mean over the batch's steps."""
        nats = cross_entropy(model(batch.inputs, batch.lengths, key), batch.targets)
        real = jnp.arange(nats.shape[1]) < batch.lengths[:, None]
        return self._loss(nats, nats, batch.targets, real, state)

    def evaluate(self, model: Any) -> Evaluation:
        """Measure accuracy, macro F1 and span F1 on the held-out part."""
        found = evaluate_tagger(model, self.data.val, self.data.labels)
        return replace(found, best_by=self.best_by)


def evaluate_classifier(model: Any, sequences: Sequences, labels: tuple[str, ...]) -> Evaluation:
    """Measure mean loss, accuracy, macro F1 and confusion matrix (a row per true label)."""
    log_p = log_probabilities(model, sequences)
    return _evaluation(np.stack(log_p), sequences.targets, labels, "sequence")


def evaluate_tagger(model: Any, sequences: Sequences, labels: tuple[str, ...]) -> Evaluation:
    """Measure mean loss per step, accuracy, macro F1, confusion matrix; span F1 of BIO schemes."""
    log_p = log_probabilities(model, sequences)
    evaluation = _evaluation(np.concatenate(log_p), sequences.targets, labels, "step")
    if metrics.is_bio(labels):
        cuts = np.cumsum(sequences.lengths)[:-1]
        wanted = [[labels[i] for i in row] for row in np.split(sequences.targets, cuts)]
        found = [[labels[i] for i in row.argmax(axis=-1)] for row in log_p]
        evaluation.metrics["span_f1"] = metrics.span_f1(wanted, found)
        return replace(evaluation, best_by="span_f1")
    return evaluation


def log_probabilities(model: Any, sequences: Sequences) -> list[np.ndarray]:
    """Return ln p of every label for each sequence: (C,), or (T, C) if the model labels steps."""
    found: list[Any] = [None] * len(sequences.lengths)
    for rows, steps in in_order_of_length(sequences.lengths):
        batch = sequences.padded(rows, steps)
        log_p = np.asarray(_log_softmax(model, batch.inputs, batch.lengths))
        for row, length, result in zip(rows, batch.lengths, log_p, strict=True):
            if row >= 0:
                found[row] = result[:length] if result.ndim == 2 else result
    return found


def unlabelled(encoded: list[np.ndarray]) -> Sequences:
    """Wrap encoded sequences that have no labels."""
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
