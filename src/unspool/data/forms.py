"""The formats of labelled texts: tables, lines, folders, words with tags.

Every reader yields (text or words, label or tags, place).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from .folders import walk_files
from .labels import label_of
from .left_out import LeftOut
from .tables import header_of, read_table
from .text_files import numbered_lines, read_lines, read_pieces, suffix_of, why_left_out

TABLES = (".tsv", ".csv")
_CONLLU = (".conllu", ".conll")
_NO_CLASSES = {"readme", "license", "licence", "copying", "notice", "changelog"}
Found = Iterator[tuple[Any, Any, str]]


def labelled_texts(path: Path, left_out: LeftOut) -> Found:
    """Yield texts with a label each, in any format; files that are not text go to `left_out`."""
    if path.is_dir():
        return class_folder(path, left_out)
    if suffix_of(path) in TABLES or {"label", "text"} <= set(header_of(path)):
        return read_table(path, ("text", "label"))
    return labelled_lines(path)


def separator(lines: Sequence[str]) -> str | None:
    """Return what separates label and text: a tab if every line has one, else any white space."""
    return "\t" if all("\t" in line for line in lines) else None


def labelled_lines(path: Path) -> Found:
    """Yield the texts of lines `LABEL text` or `LABEL<TAB>text`."""
    lines = [(number, line) for number, line in numbered_lines(path) if line.strip()]
    between = separator([line for _, line in lines])
    for number, line in lines:
        label, *text = line.strip(" ").split(between, 1) if between else line.split(None, 1)
        where = f"{path} row {number}"
        yield "".join(text).strip(), label_of(label, where), where


def classes_of(paths: Sequence[Path], folder: Path) -> set[str]:
    """Return the labels that a folder's files have by their place: the folder they are in, or else
    their own name.
    """
    inside = {parts[0] for p in paths if len(parts := p.relative_to(folder).parts) > 1}
    return inside or {_stem(path) for path in paths if _is_class(path)}


def class_folder(folder: Path, left_out: LeftOut) -> Found:
    """Yield texts from a folder per class, ignoring other files; or from a LABEL.txt per class."""
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
            left_out.add("files that are not a LABEL.txt", path.name)
            continue
        for number, line in numbered_lines(path):
            if line.strip():
                yield line.strip(), _stem(path), f"{path} row {number}"


def is_conllu(path: Path) -> bool:
    """Say whether a file is CoNLL-U, by its name or because its first word has ten columns."""
    if suffix_of(path) in _CONLLU:
        return True
    lines = (line for line in read_lines(path) if line.strip() and line[0] != "#")
    return next(lines, "").count("\t") == 9


def tagged_sentences(path: Path) -> Found:
    """Yield sentences of words with a tag each, from CoNLL-U or lines `WORD TAG`."""
    words: list[str] = []
    tags: list[str] = []
    begin = 1
    columns = _conllu if is_conllu(path) else _two_columns
    for number, line in (*numbered_lines(path), (0, "")):
        if not line.strip():
            if words:
                yield words, tags, f"{path} row {begin}"
            words, tags, begin = [], [], number + 1
        elif (pair := columns(line, f"{path} row {number}")) is not None:
            words.append(pair[0])
            tags.append(pair[1])


def split_line(line: str) -> list[str]:
    """Split a line `WORD TAG` into columns, at tabs if it has any, else at white space."""
    fields = line.split("\t") if "\t" in line else line.split()
    return [fields[0].strip(" "), *(field.strip() for field in fields[1:])]


def _conllu(line: str, where: str) -> tuple[str, str] | None:
    if line.startswith("#"):
        return None
    fields = line.split("\t")
    if len(fields) != 10:
        raise DataError(f"{where}: CoNLL-U has 10 columns separated by tabs, got {len(fields)}")
    if not fields[0].isdecimal():  # a multiword token, or an empty node
        return None
    return fields[1], label_of(fields[3], where)


def _two_columns(line: str, where: str) -> tuple[str, str]:
    fields = split_line(line)
    if len(fields) != 2 or not all(fields):
        raise DataError(f"{where}: must be a word and its tag, got {line!r}")
    return fields[0], fields[1]


def _whole(path: Path, left_out: LeftOut, name: str) -> str | None:
    """Read a file's text; return None, and count the file, if it has none."""
    try:
        return "".join(read_pieces(path))
    except DataError as error:
        reason = error.fact.replace(str(path), name, 1)
        left_out.add(why_left_out(error), name, reason)
        return None


def _is_class(path: Path) -> bool:
    return suffix_of(path) == ".txt" and _stem(path).lower() not in _NO_CLASSES


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem
