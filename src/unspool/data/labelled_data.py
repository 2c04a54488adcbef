"""Labelled sequences, ready for training: an encoder, the labels, two parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from .. import files
from ..errors import ConfigError, DataError, RunError
from .encoders import Encoder, ImageEncoder, SeriesEncoder, TextEncoder, load_encoder
from .hold_out import content_key, held_out, overlap_note, repeats_note
from .label_files import (
    Rows,
    class_names,
    form_of,
    label_ids,
    one_line,
    read_labelled,
)
from .sequences import Sequences, load_sequences, save_sequences
from .text_files import check_standard_input
from .words import characters_note

DESCRIPTION, ARRAYS = "labelled.json", "labelled.npz"


@dataclass(frozen=True, eq=False)
class LabelledData:
    """Sequences with labels, in a training part and a validation part.

    `aligned` data has one label per step, other data one per sequence.

        data = LabelledData.read("train.tsv", val="dev.tsv", tokens="word")
    """

    encoder: Encoder
    labels: tuple[str, ...]
    train: Sequences
    val: Sequences
    aligned: bool
    notes: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        source: str | Path,
        *,
        val: str | Path | None = None,
        val_fraction: float = 0.1,
        aligned: bool = False,
        lines: bool = False,
        seed: int = 0,
        tokens: str = "word",
        image: str = "rows",
        patch: int = 4,
        **encoding: Any,
    ) -> Self:
        """Read `source` and `val` (see `read_labelled`); without `val`, a share of every label of
        the source is held out, the same for the same seed.

        With `lines` the texts are single lines to generate, and get START and END. `image` and
        `patch` are the layout of images (see `ImageEncoder`), `tokens` and `encoding` the options
        of `TextEncoder.build`. The vocabulary, or the mean and deviation of numbers, come from the
        training part alone. Raises DataError, naming file and row, if the data cannot be used.
        """
        check_standard_input((source, val))
        rows = read_labelled(source, aligned=aligned)
        labels = tuple(class_names(rows, str(source)))
        if val is None:
            inputs = list(map(content_key, rows.rows))
            numbers = held_out(rows.labels, val_fraction, seed, inputs=inputs)
            train, val_rows = map(rows.take, numbers)
            shared = repeats_note(inputs, "sequences")
        else:
            train, val_rows = rows, read_labelled(val, aligned=aligned)
        form = form_of(source)
        if val is not None and form_of(val) != form:
            raise DataError(f"{source} and {val} must both hold texts, or series, or images")
        if lines:
            train, val_rows = one_line(train), one_line(val_rows)
        encoder: Encoder
        if form == "images":
            encoder = ImageEncoder.build(train.rows, image, patch)
        elif form == "series":
            encoder = SeriesEncoder.build(train.rows)
        elif aligned and tokens != "word":
            raise ConfigError(f"tokens must be word for tags of words, got {tokens!r}")
        else:
            encoder = TextEncoder.build(train.rows, tokens, **encoding)
        parts = [encode_rows(part, encoder, labels) for part in (train, val_rows)]
        if val is not None:
            shared = overlap_note(parts[0].contents(), parts[1].contents(), "held-out sequences")
        sizes = f"{len(train.rows):,} sequences to train on, {len(val_rows.rows):,} held out"
        notes = (
            f"{sizes}, {len(labels)} labels",
            *shared,
            *dict.fromkeys(train.notes + val_rows.notes),
            *vocabulary_notes(encoder, train, parts[0], parts[1]),
            *cut_notes([*train.rows, *val_rows.rows], [*train.where, *val_rows.where], encoder),
        )
        return cls(encoder, labels, parts[0], parts[1], aligned, notes)

    def save(self, directory: Path) -> None:
        """Write everything to a directory that may not exist yet."""
        directory.mkdir(parents=True, exist_ok=True)
        self.encoder.save(directory)
        save_sequences(directory / ARRAYS, train=self.train, val=self.val)
        described = {
            "encoder": self.encoder.describe(),
            "labels": self.labels,
            "aligned": self.aligned,
            "notes": self.notes,
        }
        files.write_json(directory / DESCRIPTION, described)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Undo `save`. Raises RunError if a file is missing or damaged."""
        described = files.read_json(directory / DESCRIPTION, RunError)
        parts = load_sequences(directory / ARRAYS)
        try:
            return cls(
                load_encoder(described["encoder"], directory),
                files.strings(described["labels"]),
                parts["train"],
                parts["val"],
                described["aligned"],
                files.strings(described["notes"]),
            )
        except (KeyError, TypeError) as error:
            raise RunError(f"{directory / DESCRIPTION} is damaged: {error} is missing") from error

    def fingerprint(self) -> str:
        """Return the SHA-256 of both parts and the labels, to detect changes."""
        parts = self.train.fingerprint() + self.val.fingerprint()
        return files.sha256_of_text("\n".join((parts, *self.labels)))

    def model_options(self) -> dict[str, int | None]:
        """Return what a model must know about the data."""
        if isinstance(self.encoder, TextEncoder):
            return {"classes": len(self.labels), "vocab_size": self.encoder.table_size}
        known = {"classes": len(self.labels), "input_size": self.encoder.width}
        return {**known, "vocab_size": None}


def vocabulary_notes(encoder: Encoder, train: Rows, *parts: Sequences) -> list[str]:
    """Note how many tokens are known, and the shares that are not; nothing for numbers."""
    if not isinstance(encoder, TextEncoder):
        return []
    vocab, unit = encoder.vocab, {"char": "characters", "word": "words"}.get(encoder.vocab.kind)
    notes = [f"vocabulary: {vocab.known:,} {unit or 'tokens'}"]
    if vocab.unknown_id is not None:
        known, held = (
            np.mean((p.values if p.values.ndim == 1 else p.values[:, 0]) == vocab.unknown_id)
            for p in parts
        )
        notes[0] += f"; unknown: {known:.1%} of the training part, {held:.1%} of the held-out"
    return notes + (characters_note(train.rows) if vocab.kind == "char" else [])


def cut_notes(rows: Sequence[Any], where: Sequence[str], encoder: Encoder) -> list[str]:
    """Note the texts that are longer than the encoder reads, if there are any."""
    if not isinstance(encoder, TextEncoder) or encoder.max_length is None:
        return []
    most = encoder.max_length
    # No text has more tokens than bytes, so most texts need no second look.
    long = [
        place
        for row, place in zip(rows, where, strict=True)
        if len(row.encode(errors="replace") if isinstance(row, str) else row) > most
        and encoder.is_cut(row)
    ]
    if not long:
        return []
    named = ", ".join(long[:3]) + (", ..." if len(long) > 3 else "")
    return [f"{len(long):,} texts have more than {most:,} tokens and are cut there: {named}"]


def encode_rows(rows: Rows, encoder: Encoder, labels: tuple[str, ...]) -> Sequences:
    """Encode inputs and number labels. Raises DataError, naming the row, if one cannot be used."""
    encoded = []
    for row, where in zip(rows.rows, rows.where, strict=True):
        try:
            encoded.append(encoder.encode(row))
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        if len(encoded[-1]) == 0:
            raise DataError(f"{where}: the text has no tokens: {str(row)[:40]!r}")
    aligned = not isinstance(rows.labels[0], str)
    targets = label_ids(rows, labels)
    if aligned and isinstance(encoder, TextEncoder) and encoder.max_length is not None:
        targets = [tags[: encoder.max_length] for tags in targets]
    return Sequences.join(encoded, targets, aligned)
