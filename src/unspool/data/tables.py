"""Read tables of texts: columns by name, separated by tabs or commas, quoted or not."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..limits import MAX_FIELD_CHARS
from .labels import label_of
from .left_out import listed
from .text_files import read_lines, read_pieces, suffix_of


def header_of(path: Path) -> list[str]:
    """Return the column names of the first line in lower case; the file may not be a table."""
    try:
        lines = next(read_pieces(path), "").splitlines()[:1]
        if not lines:
            return []
        return _names(next(_csv_rows(path, lines, _delimiter(path, lines[0])), (1, []))[1])
    except DataError:
        return []


def read_table(path: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Any]:
    """Yield the columns `wanted` and `optional` ("" if missing) and the place of every row.

    Values lose white space around them, except `text`. Raises DataError, naming the row, for
    missing columns, rows of another width, unclosed quotes and empty labels.
    """
    lines = read_lines(path)
    table = _csv_rows(path, lines, _delimiter(path, lines[0] if lines else ""))
    number, header = next(table, (1, []))
    names = _names(header)
    if not set(wanted) <= set(names):
        needed = " and ".join(f"`{name}`" for name in sorted(wanted))
        raise DataError(
            f"{path} row {number}: the columns must be named, {needed}, got {listed(header)}"
        )
    for number, row in table:
        if not any(field.strip() for field in row):
            continue
        where = f"{path} row {number}"
        if len(row) != len(names):
            raise DataError(f"{where}: has {len(row)} columns, not {len(names)}")
        values = dict(zip(names, row, strict=True))
        if "label" in wanted:
            values["label"] = label_of(values["label"], where)
        found = (values.get(name, "") for name in (*wanted, *optional))
        kept = zip((*wanted, *optional), found, strict=True)
        yield (*(v if name == "text" else v.strip() for name, v in kept), where)


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table, its header too, and the line at which each begins."""
    lines = read_lines(path)
    return _csv_rows(path, lines, _delimiter(path, lines[0] if lines else ""))


def _delimiter(path: Path, header: str) -> str:
    """Return the delimiter that the header has: tab or comma; if both, the suffix decides."""
    if ("\t" in header) == ("," in header):
        return "\t" if suffix_of(path) == ".tsv" else ","
    return "\t" if "\t" in header else ","


def _names(header: Sequence[str]) -> list[str]:
    return [name.strip().strip('"').lower() for name in header]


def _csv_rows(path: Path, lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Read rows. A table with tabs has quotes only if its header does, as R's do, or in a .csv."""
    is_quoted = suffix_of(path) == ".csv" or (lines and lines[0].startswith('"'))
    if delimiter == "\t" and not is_quoted:
        yield from ((number, line.split("\t")) for number, line in enumerate(lines, start=1))
        return
    before = csv.field_size_limit(MAX_FIELD_CHARS)
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for row in reader:
            yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        why = next((ours for theirs, ours in _FAULTS.items() if theirs in str(error)), str(error))
        raise DataError(f"{path} row {begin}: {why}") from error
    finally:
        csv.field_size_limit(before)


_FAULTS = {  # what `csv` says, and what we tell the user
    "unexpected end of data": "a quote opens here that is never closed",
    "expected after": "a quote opens here that ends inside a field: a text that contains quotes "
    "must be quoted, with its quotes doubled",
    "new-line character": "a carriage return is in a field without quotes",
    "field larger": f"a field has more than {MAX_FIELD_CHARS:,} characters",
}
