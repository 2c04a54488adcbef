"""Files of labelled sequences: one label a sequence, or one a step."""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import ConfigError, DataError
from .draws import raw_draws
from .folders import walk_files
from .images import DIGITS, is_images, read_images
from .labels import label_of
from .left_out import LeftOut, listed
from .series import SERIES_SUFFIXES, is_series_table, read_series
from .tables import header_of, read_table
from .text_files import is_text, numbered_lines, read_lines, read_pieces, suffix_of

Form = Literal["text", "series", "images"]
BOUNDARY = "\n"  # START and END of a text to generate, which is one line


class Rows(NamedTuple):
    """N sequences and their labels. `rows` are texts, lists of words, arrays (T, D) or images
    (H, W, C); `labels` a string each, or a list of strings with one a step; `where` says
    "FILE row 7" of each; `notes` say what was left out.
    """

    rows: list[Any]
    labels: list[Any]
    where: list[str]
    notes: tuple[str, ...] = ()

    def take(self, numbers: Sequence[int]) -> "Rows":
        """Some of the sequences."""
        rows, labels, where = ([column[i] for i in numbers] for column in self[:3])
        return Rows(rows, labels, where, self.notes)


def form_of(source: str | Path) -> Form:
    """What a source holds. Series are .npz, .ts, a CSV with a column `series`, or UCR's .tsv of a
    label and numbers; images are IDX files, an .npz with an array `images`, or scikit-learn's
    digits.
    """
    if is_images(source):
        return "images"
    if suffix_of(source) in SERIES_SUFFIXES or is_series_table(Path(source)):
        return "series"
    return "text"


def read_labelled(source: str | Path, *, aligned: bool = False) -> Rows:
    """Read one source; its content and name tell its form.

    One label a sequence: a table whose header has `label` and `text`, with tabs or commas; a
    folder with a folder of texts for each class (at any depth), or with a LABEL.txt of lines for
    each; other files have lines `LABEL text`, or `LABEL<TAB>text` if every line has a tab. One
    label a step (`aligned`): CoNLL-U (words and universal tags), other files have lines `WORD TAG`
    and an empty line after each sentence. Series of numbers: see `read_series`; images: see
    `read_images`. Raises DataError naming the file and row.
    """
    path, form = Path(source), form_of(source)
    if not path.exists() and str(source) != DIGITS:
        raise DataError(f"{path} does not exist", "give a file or folder of labelled sequences")
    if form == "images":
        if aligned:
            raise DataError(f"{source} has images with one label each: there are no steps to tag")
        found = Rows(*read_images(source))
    elif form == "series":
        found = Rows(*read_series(path, aligned=aligned))
    else:
        left_out = LeftOut()
        found = _collect(_texts(path, aligned, left_out))
        notes = tuple(f"{path}: left out {note}" for note in left_out.notes())
        found = found._replace(notes=notes)
    if not found.rows:
        raise DataError(
            "; ".join([f"{path} has no labelled sequences", *found.notes]),
            "texts must be UTF-8; images are read from IDX files or an .npz",
        )
    return found


def read_unlabelled(source: str | Path, labels: Container[str], *, aligned: bool = False) -> Rows:
    """Read texts to label: a form that `read_labelled` reads, its labels if they are there, or a
    file or folder of one text a line, empty ones too.

    `labels` are those of the run: lines `LABEL text` and `WORD TAG`, and folders of classes, are
    such only if their labels are among them.
    """
    path = Path(source)
    if not path.exists():
        raise DataError(f"{path} does not exist", "give a text, a file or a folder")
    if path.is_dir():
        return _unlabelled_folder(path, labels, aligned)
    if not aligned and "text" in header_of(path):
        rows = list(read_table(path, ("text",), optional=("label",)))
        found = [label for _, label, _ in rows]
        return Rows(
            [text for text, _, _ in rows], found if all(found) else [], [w for *_, w in rows]
        )
    if aligned and _is_conllu(path):
        return _collect(_sentences(path))
    lines = read_lines(path)
    if aligned and _are_tagged(lines, labels):
        return _collect(_sentences(path))
    if not aligned and _are_labelled(lines, labels):
        return _collect(_spaced(path))
    return Rows(lines, [], [f"{path} row {n}" for n in range(1, len(lines) + 1)])


def _unlabelled_folder(folder: Path, labels: Container[str], aligned: bool) -> Rows:
    left_out = LeftOut()
    paths = walk_files(folder, left_out)
    inside = [path.relative_to(folder).parts for path in paths]
    classes = {parts[0] for parts in inside if len(parts) > 1} or {_stem(path) for path in paths}
    if not aligned and classes and all(name in labels for name in classes):
        return read_labelled(folder)
    parts = []
    for path in paths:
        if is_text(path):
            parts.append(read_unlabelled(path, labels, aligned=aligned))
        else:
            left_out.add("files that are not text", path.name)
    joined = join_rows(parts)
    if not joined.rows:
        raise DataError(f"{folder} has no texts")
    notes = tuple(f"{folder}: left out {note}" for note in left_out.notes())
    return joined._replace(notes=joined.notes + notes)


def join_rows(parts: Sequence[Rows]) -> Rows:
    """The rows of several sources, one after the other; labels only if all have them."""
    known = all(part.labels for part in parts)
    return Rows(
        [row for part in parts for row in part.rows],
        [label for part in parts for label in part.labels] if known else [],
        [where for part in parts for where in part.where],
        tuple(note for part in parts for note in part.notes),
    )


def _are_labelled(lines: Sequence[str], labels: Container[str]) -> bool:
    """Whether lines are `LABEL text`: all begin with a known label, and not all with the same
    (two words of a text may be a label and a text), or tabs separate them.
    """
    full = [line for line in lines if line.strip()]
    split = _separator(full)
    found = [line.split(split, 1) for line in full]
    if not found or not all(len(pair) == 2 and pair[0].strip() in labels for pair in found):
        return False
    return split == "\t" or len({pair[0] for pair in found}) > 1


def _are_tagged(lines: Sequence[str], labels: Container[str]) -> bool:
    """Whether lines are `WORD TAG`, with known tags."""
    found = [line.split("\t" if "\t" in line else None) for line in lines if line.strip()]
    return bool(found) and all(len(pair) == 2 and pair[1].strip() in labels for pair in found)


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


def held_out(
    labels: Sequence[Any], fraction: float, seed: int, *, option: str = "val"
) -> tuple[list[int], list[int]]:
    """Numbers of the sequences to train on and of those held out: `fraction` of every label
    (rounded, but one stays on each side if a label has two); of all if labels are lists, but
    nothing with a label that training would lack. `option` names the held-out part in errors.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"val_fraction must be above 0 and below 1, got {fraction}")
    keys = [label if isinstance(label, str) else "" for label in labels]
    draw = raw_draws(seed)(len(keys))
    shuffled = np.argsort(draw, kind="stable").tolist()
    quota = {
        key: min(max(round(fraction * count), 1), count - 1) for key, count in Counter(keys).items()
    }
    val = set()
    for i in shuffled:
        if quota[keys[i]] > 0:
            quota[keys[i]] -= 1
            val.add(i)
    val -= _needed(labels, val)
    if not val:
        raise DataError(
            f"nothing of {len(labels)} can be held out for validation: training needs all of it",
            "give more",
            {option: "name a held-out part of its own ({})"},
        )
    return [i for i in range(len(keys)) if i not in val], sorted(val)


def _needed(labels: Sequence[Any], val: set[int]) -> set[int]:
    """Which of `val` training needs: with a label of steps that no other sequence of it has."""
    trained = {tag for i, tags in enumerate(labels) if i not in val for tag in _tags(tags)}
    needed = set()
    for i in sorted(val):
        if not trained.issuperset(_tags(labels[i])):
            needed.add(i)
            trained.update(_tags(labels[i]))
    return needed


def _tags(labels: Any) -> Sequence[str]:
    return [labels] if isinstance(labels, str) else labels


def _texts(path: Path, aligned: bool, left_out: LeftOut) -> Iterator[tuple[Any, Any, str]]:
    """Yield text, label and place of a file or folder of labelled texts."""
    if aligned:
        return _sentences(path)
    if path.is_dir():
        return _folder(path, left_out)
    if suffix_of(path) in (".tsv", ".csv") or {"label", "text"} <= set(header_of(path)):
        return read_table(path, ("text", "label"))
    return _spaced(path)


def _collect(found: Iterator[tuple[Any, Any, str]]) -> Rows:
    rows, labels, where = [], [], []
    for row, label, place in found:
        if not (row.strip() if isinstance(row, str) else row):
            raise DataError(f"{place}: the text is empty: remove the row")
        rows.append(row)
        labels.append(label)
        where.append(place)
    return Rows(rows, labels, where)


def _separator(lines: Sequence[str]) -> str | None:
    """What is between label and text: a tab if every line has one, else any white space."""
    return "\t" if all("\t" in line for line in lines) else None


def _spaced(path: Path) -> Iterator[tuple[str, str, str]]:
    lines = [(number, line) for number, line in numbered_lines(path) if line.strip()]
    separator = _separator([line for _, line in lines])
    for number, line in lines:
        label, *text = line.strip(" ").split(separator, 1) if separator else line.split(None, 1)
        where = f"{path} row {number}"
        yield "".join(text).strip(), label_of(label, where), where


def _folder(folder: Path, left_out: LeftOut) -> Iterator[tuple[str, str, str]]:
    """A folder of texts a class, whatever is beside these; or a LABEL.txt of lines a class."""
    paths = walk_files(folder, left_out)
    inside = [(path, path.relative_to(folder).parts) for path in paths]
    if any(len(parts) > 1 for _, parts in inside):
        for path, parts in inside:
            if len(parts) == 1:
                left_out.add("files beside the folders of classes", path.name)
            elif (text := _whole(path, left_out, "/".join(parts))) is not None:
                yield text, parts[0], str(path)
        return
    if not any(_is_class(path) for path in paths):
        raise DataError(f"{folder} has neither a folder of texts nor a LABEL.txt for each class")
    for path in paths:
        if not _is_class(path):
            left_out.add("files that are no LABEL.txt", path.name)
            continue
        for number, line in numbered_lines(path):
            if line.strip():
                yield line.strip(), _stem(path), f"{path} row {number}"


def _whole(path: Path, left_out: LeftOut, name: str) -> str | None:
    """A file's text; None, and counted, if it is no text."""
    try:
        return "".join(read_pieces(path))
    except DataError as error:
        left_out.add("files that are not text", name, f"{name}: {error.fact}")
        return None


_NO_CLASSES = {"readme", "license", "licence", "copying", "notice", "changelog"}


def _is_class(path: Path) -> bool:
    return suffix_of(path) == ".txt" and _stem(path).lower() not in _NO_CLASSES


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _is_conllu(path: Path) -> bool:
    """Whether a file is CoNLL-U: by its name, or as its first word has ten columns."""
    if suffix_of(path) in (".conllu", ".conll"):
        return True
    lines = (line for _, line in numbered_lines(path) if line.strip() and line[0] != "#")
    return next(lines, "").count("\t") == 9


def _sentences(path: Path) -> Iterator[tuple[list[str], list[str], str]]:
    words: list[str] = []
    tags: list[str] = []
    begin = 1
    columns = _conllu if _is_conllu(path) else _two_columns
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
    return fields[1], fields[3].strip()


def _two_columns(line: str, where: str) -> tuple[str, str]:
    fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
    if len(fields) != 2 or not all(fields):
        raise DataError(f"{where}: must be a word and its tag, got {line!r}")
    return fields[0], fields[1]
