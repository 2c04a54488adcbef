"""Runs of classifiers and taggers, which label sequences and are evaluated on labelled ones."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...data import (
    Encoder,
    ImageEncoder,
    LabelledData,
    Rows,
    Sequences,
    TextEncoder,
    check_standard_input,
    cut_notes,
    encode_rows,
    form_of,
    join_rows,
    load_encoder,
    overlap_note,
    read_labelled,
)
from ...data.subword import WordVocabulary
from ...data.words import splitter
from ...errors import DataError, RunError
from ...files import strings
from ...inspection import Spans
from ...models.classifier import Classifier
from ...models.glimpse import GlimpseClassifier
from ...models.tagger import Tagger
from ...training.task import Evaluation
from ..reading import Reading
from ..run import LoadedRun, check_size, check_vocabulary, noted
from .task import (
    evaluate_classifier,
    evaluate_tagger,
    log_probabilities,
    unlabelled,
)


@dataclass(frozen=True)
class LabelledRun(LoadedRun):
    """Shared by both: an encoder, the labels, and reading labelled sequences."""

    aligned: ClassVar[bool]

    encoder: Encoder
    labels: tuple[str, ...]

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        task = config["task"]
        encoder = load_encoder(task.get("encoder", {}), path)
        if isinstance(encoder, TextEncoder):
            check_vocabulary(encoder.vocab, path, task)
            check_size(path, config, "vocab_size", encoder.table_size)
        elif isinstance(encoder, ImageEncoder):
            check_size(path, config, "image_shape", list(encoder.shape))
        try:
            labels = strings(task.get("labels"))
        except TypeError as error:
            raise RunError(f"{path} is damaged: config.json has no labels") from error
        check_size(path, config, "classes", len(labels))
        return {"encoder": encoder, "labels": labels}

    def reading(self, text: str, condition: str | None) -> Reading:
        """Read the words or tokens of the encoder, all of them despite its `max_length`."""
        if not isinstance(self.encoder, TextEncoder):
            return super().reading(text, condition)
        return Reading(self.model, self.encoder.vocab, _spans(self.encoder, text), None)

    @property
    def reads(self) -> str:
        """What the run labels: text, series or images."""
        return self.encoder.form

    def read(
        self, sources: tuple[str, ...], prepare: Callable[[Rows], Rows] = lambda rows: rows
    ) -> tuple[Sequences, list[str]]:
        """Read encoded sequences of labelled files, one file after the other, and notes on what was
        left out, cut, or trained on; without files, of the run's held-out part.
        """
        if not sources:
            return self.own_data(LabelledData.open, "name a file to evaluate on").val, []
        check_standard_input(sources)
        rows = prepare(join_rows([self._read(source) for source in sources]))
        found = encode_rows(rows, self.encoder, self.labels)
        shared = self.shared_with_training(
            LabelledData.open,
            lambda data: overlap_note(data.train.contents(), found.contents(), "sequences"),
        )
        return found, [*rows.notes, *shared, *cut_notes(rows.rows, rows.where, self.encoder)]

    def _read(self, source: str) -> Rows:
        rows = read_labelled(source, aligned=self.aligned)
        if form_of(source) != self.reads:
            raise DataError(
                f"{source}: {self.path} reads {self.reads}, which this file does not have"
            )
        return rows

    def log_probabilities(self, rows: Sequence[Any], where: Sequence[str] = ()) -> list[np.ndarray]:
        """Return ln p of every label for each sequence: an array (C,), or (T, C) for a tagger.

        `where` names the sequences in errors; otherwise they are numbered.
        """
        if not rows:
            return []
        encoded = []
        for place, row in zip(where or _counted(rows), rows, strict=True):
            try:
                encoded.append(self.encoder.encode(row))
            except DataError as error:
                raise DataError(f"{place}: {error}") from error
            if len(encoded[-1]) == 0:
                raise DataError(f"{place} is empty: there is nothing to label")
        return log_probabilities(self.model, unlabelled(encoded))


@dataclass(frozen=True)
class ClassifierRun(LabelledRun):
    """A classifier's run directory, loaded."""

    what: ClassVar[str] = "a classifier"
    used_by: ClassVar[str] = "unspool classify"
    aligned: ClassVar[bool] = False

    model: Classifier | GlimpseClassifier

    def classify(self, rows: Sequence[Any], where: Sequence[str] = ()) -> list[dict[str, float]]:
        """Return, for each text, series (T, D) or image (H, W, C), the probabilities of the labels,
        highest first. `where` names the rows in errors.

        run.classify(["a gripping film"])  ->  [{"1": 0.97, "0": 0.03}]
        """
        found = [np.exp(log_p) for log_p in self.log_probabilities(rows, where)]
        return [{self.labels[i]: float(p[i]) for i in np.argsort(-p, kind="stable")} for p in found]

    def evaluate(self, *sources: str) -> Evaluation:
        """Measure loss, accuracy, macro F1 and confusion matrix."""
        sequences, notes = self.read(sources)
        return noted(evaluate_classifier(self.model, sequences, self.labels), notes)


@dataclass(frozen=True)
class TaggerRun(LabelledRun):
    """A tagger's run directory, loaded."""

    what: ClassVar[str] = "a tagger"
    used_by: ClassVar[str] = "unspool tag"
    aligned: ClassVar[bool] = True

    model: Tagger

    def tag(self, rows: Sequence[Any], where: Sequence[str] = ()) -> list[list[str]]:
        """Return, for each list of words (or array (T, D)), the likeliest tag of every step.
        `where` names the rows in errors.

        run.tag([["The", "dog", "barks"]])  ->  [["DET", "NOUN", "VERB"]]
        """
        found = self.log_probabilities(rows, where)
        return [[self.labels[i] for i in log_p.argmax(axis=-1)] for log_p in found]

    def evaluate(self, *sources: str) -> Evaluation:
        """Measure loss, accuracy, macro F1, confusion matrix, and span F1 of BIO schemes."""
        sequences, notes = self.read(sources)
        return noted(evaluate_tagger(self.model, sequences, self.labels), notes)


def _spans(encoder: TextEncoder, text: str) -> Spans:
    if not isinstance(encoder.vocab, WordVocabulary):
        return Spans(text, *encoder.vocab.spans(text))
    words = list(splitter(encoder.vocab.rule).finditer(text))
    if not words:
        raise DataError("the text has no words: use one that has some")
    ids = dataclasses.replace(encoder, max_length=None).encode([word[0] for word in words])
    first, after = np.array([word.span() for word in words]).T
    return Spans(text, ids, first, after - 1)


def _counted(rows: Sequence[Any]) -> list[str]:
    return [f"sequence {number}" for number in range(1, len(rows) + 1)]
