"""Files of labelled sequences: one label a sequence, or one a step."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import ConfigError, DataError
from .images import DIGITS, is_images, read_images
from .series import SERIES_SUFFIXES, is_series_table, read_series
from .sources import read_pieces

Form = Literal["text", "series", "images"]
BOUNDARY = "\n"  # START and END of a text to generate, which is one line


class Rows(NamedTuple):
    """N sequences and their labels. `rows` are texts, lists of words, arrays (T, D) or images
    (H, W, C); `labels` a string each, or a list of strings with one a step; `where` says
    "FILE row 7" of each.
    """

    rows: list[Any]
    labels: list[Any]
    where: list[str]

    def take(self, numbers: Sequence[int]) -> "Rows":
        """Some of the sequences."""
        return Rows(*([column[i] for i in numbers] for column in self))


def form_of(source: str | Path) -> Form:
    """What a source holds. Series are .npz, .ts, or a CSV with a column `series`; images are
    IDX files, an .npz with an array `images`, or scikit-learn's digits.
    """
    if is_images(source):
        return "images"
    if Path(source).suffix in SERIES_SUFFIXES or is_series_table(Path(source)):
        return "series"
    return "text"


def read_labelled(source: str | Path, *, aligned: bool = False) -> Rows:
    """Read one source, whose name tells its form.

    One label a sequence: a .tsv or .csv with the columns `label` and `text`; a folder with one
    folder of texts a class, or with one LABEL.txt of lines a class; other files have lines
    `LABEL text`. One label a step (`aligned`): .conllu and .conll (CoNLL-U, words and universal
    tags), other files with lines `WORD TAG` and an empty line after each sentence. Series of
    numbers: see `read_series`; images: see `read_images`. Raises DataError naming the file and
    row.
    """
    path, form = Path(source), form_of(source)
    if not path.exists() and str(source) != DIGITS:
        raise DataError(f"{path} does not exist: give a file or folder of labelled sequences")
    if form == "images":
        if aligned:
            raise DataError(f"{source} has images with one label each: there are no steps to tag")
        found = Rows(*read_images(source))
    elif form == "series":
        found = Rows(*read_series(path, aligned=aligned))
    elif aligned:
        found = _collect(_sentences(path))
    elif path.is_dir():
        found = _collect(_folder(path))
    elif path.suffix in (".tsv", ".csv"):
        found = _collect(_table(path))
    else:
        found = _collect(_spaced(path))
    if not found.rows:
        raise DataError(f"{path} has no labelled sequences")
    return found


def read_texts(source: str | Path) -> list[tuple[str, str]]:
    """The lines of a file that are not empty, and where each one is."""
    return [(line, f"{source} row {n}") for n, line in numbered_lines(Path(source)) if line.strip()]


def one_line(rows: Rows) -> Rows:
    """The texts between START and END; DataError for one of several lines."""
    for text, where in zip(rows.rows, rows.where, strict=True):
        if not isinstance(text, str) or BOUNDARY in text:
            raise DataError(f"{where}: must be a text of one line to be generated")
    return rows._replace(rows=[f"{BOUNDARY}{text}{BOUNDARY}" for text in rows.rows])


def class_names(rows: Rows, what: str) -> list[str]:
    """The labels in sorted order; DataError for fewer than two."""
    nested = rows.labels and not isinstance(rows.labels[0], str)
    names = sorted({tag for tags in rows.labels for tag in (tags if nested else [tags])})
    if len(names) < 2:
        raise DataError(
            f"{what}: all {len(rows.rows)} sequences have the label {names[0]!r}: "
            "there must be at least 2 labels to tell apart"
        )
    return names


def label_ids(rows: Rows, names: Sequence[str]) -> list[Any]:
    """Labels (or arrays of the labels of steps) as numbers; DataError for unknown ones."""
    number = {name: i for i, name in enumerate(names)}

    def lookup(label: str, where: str) -> int:
        if label not in number:
            known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            raise DataError(f"{where}: the label {label!r} is not one of the run's: {known}")
        return number[label]

    pairs = zip(rows.labels, rows.where, strict=True)
    return [
        lookup(label, where)
        if isinstance(label, str)
        else np.array([lookup(tag, where) for tag in label], np.int32)
        for label, where in pairs
    ]


def held_out(labels: Sequence[Any], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Numbers of the sequences to train on and of those held out: `fraction` of every label
    (rounded, but one stays on each side where a label has two); of all where labels are lists.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"val_fraction must be above 0 and below 1, got {fraction}")
    keys = [label if isinstance(label, str) else "" for label in labels]
    # NumPy promises the raw stream for all time, but not that of its distributions.
    draw = np.random.Philox(np.random.SeedSequence([seed])).random_raw(len(keys))
    shuffled = np.argsort(draw, kind="stable").tolist()
    quota = {
        key: min(max(round(fraction * count), 1), count - 1) for key, count in Counter(keys).items()
    }
    val = set()
    for i in shuffled:
        if quota[keys[i]] > 0:
            quota[keys[i]] -= 1
            val.add(i)
    if not val:
        raise DataError("no sequence can be held out, every label occurs once: give --val")
    return [i for i in range(len(keys)) if i not in val], sorted(val)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines without their ends, counted from 1."""
    text = "".join(read_pieces(path))
    return enumerate((line.removesuffix("\r") for line in text.split("\n")), start=1)


def _collect(found: Iterator[tuple[Any, Any, str]]) -> Rows:
    rows, labels, where = [], [], []
    for row, label, place in found:
        if not (row.strip() if isinstance(row, str) else row):
            raise DataError(f"{place}: the text is empty: remove the row")
        rows.append(row)
        labels.append(label)
        where.append(place)
    return Rows(rows, labels, where)


def _spaced(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in numbered_lines(path):
        if line.strip():
            label, _, text = line.strip().partition(" ")
            yield text, label, f"{path} row {number}"


def _table(path: Path) -> Iterator[tuple[str, str, str]]:
    tabs = path.suffix == ".tsv"
    lines = [line for _, line in numbered_lines(path)]
    if tabs:
        table = ((i, line.split("\t")) for i, line in enumerate(lines, start=1))
    else:
        reader = csv.reader(line + "\n" for line in lines)
        table = ((reader.line_num, row) for row in reader)
    _, header = next(table, (1, []))
    names = [name.strip().lower() for name in header]
    if not {"label", "text"} <= set(names):
        raise DataError(
            f"{path} row 1: the columns must be named, `label` and `text` among them, "
            f"got {', '.join(header) or 'nothing'}"
        )
    for number, row in table:
        if not any(field.strip() for field in row):
            continue
        if len(row) != len(names):
            raise DataError(f"{path} row {number}: has {len(row)} columns, not {len(names)}")
        label = row[names.index("label")].strip()
        if not label:
            raise DataError(f"{path} row {number}: the label is empty")
        yield row[names.index("text")], label, f"{path} row {number}"


def _folder(folder: Path) -> Iterator[tuple[str, str, str]]:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if not any(entry.is_dir() or entry.suffix == ".txt" for entry in entries):
        raise DataError(f"{folder} has neither a folder of texts nor a LABEL.txt for each class")
    for entry in entries:
        if entry.is_dir():
            for path in sorted(path for path in entry.iterdir() if path.is_file()):
                yield "".join(read_pieces(path)), entry.name, str(path)
        elif entry.suffix == ".txt":
            for line, where in read_texts(entry):
                yield line.strip(), entry.stem, where


def _sentences(path: Path) -> Iterator[tuple[list[str], list[str], str]]:
    words: list[str] = []
    tags: list[str] = []
    begin = 1
    columns = _conllu if path.suffix in (".conllu", ".conll") else _two_columns
    for number, line in (*numbered_lines(path), (0, "")):
        if not line.strip():
            if words:
                yield words, tags, f"{path} row {begin}"
            words, tags, begin = [], [], number + 1
        elif (pair := columns(line, f"{path} row {number}")) is not None:
            words.append(pair[0])
            tags.append(pair[1])


def _conllu(line: str, where: str) -> tuple[str, str] | None:
    if line.startswith("#"):
        return None
    fields = line.split("\t")
    if len(fields) != 10:
        raise DataError(f"{where}: CoNLL-U has 10 columns with tabs between, got {len(fields)}")
    if not fields[0].isdecimal():  # a range of words written as one, or an empty node
        return None
    return fields[1], fields[3]


def _two_columns(line: str, where: str) -> tuple[str, str]:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) != 2 or not fields[0] or not fields[1]:
        raise DataError(f"{where}: must be a word and its tag, got {line!r}")
    return fields[0], fields[1]
