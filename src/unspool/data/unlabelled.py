"""Read texts to label: in the formats of training, with labels to compare, or plain texts."""

from collections.abc import Container, Sequence
from pathlib import Path

from ..errors import DataError
from .folders import walk_files, walk_texts
from .forms import (
    TABLES,
    Found,
    class_folder,
    classes_of,
    is_conllu,
    labelled_lines,
    separator,
    split_line,
    tagged_sentences,
)
from .label_files import Rows, read_from
from .left_out import LeftOut
from .tables import header_of, read_table
from .text_files import check_exists, read_lines, suffix_of

# Shares of lines that must have a label of the run: white space is weaker evidence than a tab.
_KNOWN_AFTER_BLANKS, _KNOWN_AFTER_TABS = 0.9, 0.5


def read_unlabelled(source: str | Path, labels: Container[str], *, aligned: bool = False) -> Rows:
    """Read texts to label: in a format that `read_labelled` reads, or a file, standard input ("-")
    or folder with one text per line, empty ones too. The labels of a row are None if it has none.

    Tables need only a column `text`. `labels` are those of the run: lines `LABEL text` and
    `WORD TAG`, and folders of classes, are recognised only if most of their labels are among them;
    `notes` say so. CoNLL-U gives a classifier the words with spaces between.
    """
    return read_from(source, lambda path: _read(path, labels, aligned))


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Join the rows of several sources."""
    return Rows(
        [row for part in parts for row in part.rows],
        [label for part in parts for label in part.labels],
        [where for part in parts for where in part.where],
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _read(path: Path, labels: Container[str], aligned: bool) -> Rows:
    check_exists(path, "a text, a file or a folder")
    if path.is_dir():
        return _folder(path, labels, aligned)
    if _is_table(path, aligned):
        table = read_table(path, ("text",), optional=("label",))
        return _rows((text, None if aligned else label or None, place)
                     for text, label, place in table)  # fmt: skip
    if is_conllu(path):
        sentences = _rows(tagged_sentences(path))
        if aligned:
            return sentences
        texts = [" ".join(words) for words in sentences.rows]
        return sentences._replace(rows=texts, labels=[None] * len(texts))
    lines = read_lines(path)
    if aligned and _are_tagged(lines, labels):
        note = f"{path}: read as lines `WORD TAG`, since most tags are the run's"
        return _rows(tagged_sentences(path))._replace(notes=(note,))
    if not aligned and _are_labelled(lines, labels):
        note = f"{path}: read as lines `LABEL text`, since most labels are the run's"
        return _rows(labelled_lines(path))._replace(notes=(note,))
    return Rows(lines, [None] * len(lines), [f"{path} row {n + 1}" for n in range(len(lines))])


def _rows(found: Found) -> Rows:
    rows, labels, where = [], [], []
    for row, label, place in found:
        rows.append(row)
        labels.append(label)
        where.append(place)
    return Rows(rows, labels, where)


def _is_table(path: Path, aligned: bool) -> bool:
    """Say whether a file has named columns: any .csv or .tsv of texts has; of other files, those
    whose first line is single words, `text` among them.
    """
    if suffix_of(path) in TABLES and not aligned:
        return True
    names = header_of(path)
    return "text" in names and len(names) > 1 and all(len(name.split()) <= 1 for name in names)


def _folder(folder: Path, labels: Container[str], aligned: bool) -> Rows:
    left_out = LeftOut()
    if not aligned and any(name in labels for name in classes_of(walk_files(folder), folder)):
        found = _rows(class_folder(folder, left_out))
    else:
        texts = walk_texts(folder, left_out)
        found = join_rows([_read(path, labels, aligned) for path in texts])
    notes = tuple(f"{folder}: left out {note}" for note in left_out.notes())
    if not found.rows:
        raise DataError("; ".join([f"{folder} has no texts", *notes]))
    return found._replace(notes=found.notes + notes)


def _are_labelled(lines: Sequence[str], labels: Container[str]) -> bool:
    """Say whether lines are `LABEL text`: not if all start alike, as lines of one text may."""
    full = [line for line in lines if line.strip()]
    between = separator(full)
    pairs = [line.split(between, 1) for line in full]
    found = [pair[0].strip() for pair in pairs if len(pair) == 2 and pair[0].strip()]
    if len(found) < len(full) or (between is None and len(set(found)) < 2):
        return False
    return _are_known(found, labels, tabs=between is not None)


def _are_tagged(lines: Sequence[str], labels: Container[str]) -> bool:
    """Say whether lines are `WORD TAG`."""
    pairs = [split_line(line) for line in lines if line.strip()]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        return False
    tabs = all("\t" in line for line in lines if line.strip())
    return _are_known([tag for _, tag in pairs], labels, tabs)


def _are_known(found: Sequence[str], labels: Container[str], tabs: bool) -> bool:
    known = sum(label in labels for label in found)
    least = _KNOWN_AFTER_TABS if tabs else _KNOWN_AFTER_BLANKS
    return bool(found) and known >= least * len(found)
