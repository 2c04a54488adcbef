"""Runs of classifiers and taggers: they label new sequences, and are measured on labelled ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..data import (
    Encoder,
    LabelledData,
    Rows,
    Sequences,
    TextEncoder,
    encode_rows,
    load_encoder,
    read_labelled,
)
from ..errors import DataError, RunError
from ..models.classifier import Classifier
from ..models.tagger import Tagger
from ..tasks.labelled import (
    evaluate_classifier,
    evaluate_tagger,
    log_probabilities,
    unlabelled,
)
from ..tasks.task import Evaluation
from .base import DATA, LoadedRun, check_vocabulary


@dataclass(frozen=True)
class LabelledRun(LoadedRun):
    """What the two share: an encoder, the labels, and where labelled sequences come from."""

    aligned: ClassVar[bool]

    encoder: Encoder
    labels: tuple[str, ...]

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        task = config["task"]
        encoder = load_encoder(task.get("encoder", {}), path)
        if isinstance(encoder, TextEncoder):
            check_vocabulary(encoder.vocab, path, task)
        if not isinstance(task.get("labels"), list):
            raise RunError(f"{path} is damaged: config.json has no labels")
        return {"encoder": encoder, "labels": tuple(task["labels"])}

    @property
    def reads_text(self) -> bool:
        """Whether it labels texts, not series of numbers."""
        return isinstance(self.encoder, TextEncoder)

    def read(
        self, sources: tuple[str, ...], prepare: Callable[[Rows], Rows] = lambda rows: rows
    ) -> Sequences:
        """Encoded sequences of a labelled file; of the run's held-out part without one."""
        if not sources:
            if not (self.path / DATA).is_dir():
                raise RunError(f"{self.path} keeps no data of its own: name a file to evaluate on")
            return LabelledData.open(self.path / DATA).val
        if len(sources) > 1:
            raise DataError(f"name one file to evaluate on, got {len(sources)}")
        rows = read_labelled(sources[0], aligned=self.aligned)
        if isinstance(rows.rows[0], np.ndarray) == self.reads_text:
            wants = "texts" if self.reads_text else "series of numbers"
            raise DataError(f"{sources[0]}: {self.path} reads {wants}, which this file has not")
        return encode_rows(prepare(rows), self.encoder, self.labels)

    def log_probabilities(self, rows: Sequence[Any]) -> list[np.ndarray]:
        """ln p of every label: an array (C,), or (T, C) of a tagger, for each sequence."""
        if not rows:
            return []
        encoded = [self.encoder.encode(row) for row in rows]
        for number, ids in enumerate(encoded, start=1):
            if len(ids) == 0:
                raise DataError(f"sequence {number} is empty: there is nothing to label")
        return log_probabilities(self.model, unlabelled(encoded))


@dataclass(frozen=True)
class ClassifierRun(LabelledRun):
    """A classifier's run directory, loaded."""

    what: ClassVar[str] = "a classifier: use `unspool classify`"
    aligned: ClassVar[bool] = False

    model: Classifier

    def classify(self, rows: Sequence[Any]) -> list[dict[str, float]]:
        """For each text (or array (T, D)) the probabilities of the labels, highest first.

        run.classify(["a gripping film"])  ->  [{"1": 0.97, "0": 0.03}]
        """
        found = [np.exp(log_p) for log_p in self.log_probabilities(rows)]
        return [{self.labels[i]: float(p[i]) for i in np.argsort(-p, kind="stable")} for p in found]

    def evaluate(self, *sources: str) -> Evaluation:
        """Loss, accuracy, macro F1 and confusion matrix."""
        return evaluate_classifier(self.model, self.read(sources), self.labels)


@dataclass(frozen=True)
class TaggerRun(LabelledRun):
    """A tagger's run directory, loaded."""

    what: ClassVar[str] = "a tagger: use `unspool tag`"
    aligned: ClassVar[bool] = True

    model: Tagger

    def tag(self, rows: Sequence[Any]) -> list[list[str]]:
        """For each list of words (or array (T, D)) the likeliest tag of every step.

        run.tag([["The", "dog", "barks"]])  ->  [["DET", "NOUN", "VERB"]]
        """
        found = self.log_probabilities(rows)
        return [[self.labels[i] for i in log_p.argmax(axis=-1)] for log_p in found]

    def evaluate(self, *sources: str) -> Evaluation:
        """Loss, accuracy, macro F1, confusion matrix, and span F1 of BIO schemes."""
        return evaluate_tagger(self.model, self.read(sources), self.labels)
