"""Read files of labelled sequences, with one label per sequence or one per step."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import DataError
from .forms import Found, labelled_texts, tagged_sentences
from .images import DIGITS, is_images, read_images
from .left_out import LeftOut, listed
from .series import SERIES_SUFFIXES, is_series_table, read_series
from .text_files import STANDARD_INPUT, STANDARD_INPUT_NAME, as_file, suffix_of

Form = Literal["text", "series", "images"]
BOUNDARY = "\n"  # START and END of a text to generate, which is a single line


class Rows(NamedTuple):
    """N sequences and their labels. `rows` are texts, lists of words, arrays (T, D) or images
    (H, W, C); `labels` a string each, or a list of strings with one per step (None if unknown, for
    sequences to label); `where` says "FILE row 7" for each; `notes` say what was left out or is
    odd.
    """

    rows: list[Any]
    labels: list[Any]
    where: list[str]
    notes: tuple[str, ...] = ()

    def take(self, numbers: Sequence[int]) -> "Rows":
        """Take some of the sequences."""
        rows, labels, where = ([column[i] for i in numbers] for column in self[:3])
        return Rows(rows, labels, where, self.notes)


def form_of(source: str | Path) -> Form:
    """Say what a source holds. Series are .npz, .ts, a CSV with a column `series`, or UCR's .tsv of
    a label and numbers; images are IDX files, an .npz with an array `images`, or scikit-learn's
    digits. Standard input ("-") is text.
    """
    if source == STANDARD_INPUT:
        return "text"
    if is_images(source):
        return "images"
    if suffix_of(source) in SERIES_SUFFIXES or is_series_table(Path(source)):
        return "series"
    return "text"


def read_labelled(source: str | Path, *, aligned: bool = False) -> Rows:
    """Read one source; its content and name decide its format.

    One label per sequence: a table whose header has `label` and `text`, with tabs or commas; a
    folder with a folder of texts for each class (at any depth), or with a LABEL.txt of lines for
    each; other files have lines `LABEL text`, or `LABEL<TAB>text` if every line has a tab. One
    label per step (`aligned`): CoNLL-U (words and universal tags); other files have lines `WORD
    TAG` and an empty line after each sentence. Series of numbers: see `read_series`; images: see
    `read_images`. Raises DataError, naming the file and row, if the source has another format.
    """
    found = read_from(source, lambda path: _read(path, str(source), aligned))
    if not found.rows:
        name = STANDARD_INPUT_NAME if source == STANDARD_INPUT else source
        raise DataError(
            "; ".join([f"{name} has no labelled sequences", *found.notes]),
            "texts must be UTF-8; images are read from IDX files or an .npz",
        )
    return found


def read_from(source: str | Path, read: Callable[[Path], Rows]) -> Rows:
    """Read a file, folder or standard input ("-") with `read`; errors name standard input as
    such.
    """
    with as_file(source) as path:
        found = read(path)
    if source != STANDARD_INPUT:
        return found
    where, notes = (
        [text.replace(str(path), STANDARD_INPUT_NAME) for text in texts]
        for texts in (found.where, found.notes)
    )
    return found._replace(where=where, notes=tuple(notes))


def _read(path: Path, source: str, aligned: bool) -> Rows:
    form = form_of(path)
    if not path.exists() and source != DIGITS:
        raise DataError(f"{path} does not exist", "name a file or folder of labelled sequences")
    if form == "images":
        if aligned:
            raise DataError(
                f"{source} has images with one label each, so there are no steps to tag"
            )
        return Rows(*read_images(source))
    if form == "series":
        return Rows(*read_series(path, aligned=aligned))
    left_out = LeftOut()
    found = _collect(tagged_sentences(path) if aligned else labelled_texts(path, left_out))
    notes = [f"{path}: left out {note}" for note in left_out.notes()]
    if not aligned and path.is_file():
        notes += _notes_of_lines(found)
    return found._replace(notes=tuple(notes))


def _notes_of_lines(rows: Rows) -> list[str]:
    """Note the texts of a table that span several lines, as a stray quote joins many lines."""
    long = [where for text, where in zip(rows.rows, rows.where, strict=True) if "\n" in text]
    if not long:
        return []
    named = ", ".join(long[:3]) + (", ..." if len(long) > 3 else "")
    return [f"{len(long):,} texts span several lines, between quotes: {named}"]


def one_line(rows: Rows) -> Rows:
    """Put texts between START and END. Raises DataError if one has several lines."""
    for text, where in zip(rows.rows, rows.where, strict=True):
        if not isinstance(text, str) or BOUNDARY in text:
            raise DataError(f"{where}: a text to generate must be a single line")
    return rows._replace(rows=[f"{BOUNDARY}{text}{BOUNDARY}" for text in rows.rows])


def class_names(rows: Rows, what: str) -> list[str]:
    """Return the labels in sorted order. Raises DataError if there are fewer than two."""
    nested = rows.labels and not isinstance(rows.labels[0], str)
    names = sorted({tag for tags in rows.labels for tag in (tags if nested else [tags])})
    if len(names) < 2:
        raise DataError(
            f"{what}: all {len(rows.rows)} sequences have the label {names[0]!r}: "
            "there must be at least 2 different labels"
        )
    return names


def label_ids(rows: Rows, names: Sequence[str]) -> list[Any]:
    """Number the labels (or arrays of labels of steps). Raises DataError if one is unknown."""
    number = {name: i for i, name in enumerate(names)}

    def lookup(label: str, where: str) -> int:
        if label not in number:
            known = listed(names)
            raise DataError(f"{where}: the label {label!r} is not one of the run's: {known}")
        return number[label]

    pairs = zip(rows.labels, rows.where, strict=True)
    return [
        lookup(label, where)
        if isinstance(label, str)
        else np.array([lookup(tag, where) for tag in label], np.int32)
        for label, where in pairs
    ]


def _collect(found: Found) -> Rows:
    rows, labels, where = [], [], []
    for row, label, place in found:
        if not (row.strip() if isinstance(row, str) else row):
            raise DataError(f"{place}: the text is empty: remove the row")
        rows.append(row)
        labels.append(label)
        where.append(place)
    return Rows(rows, labels, where)
