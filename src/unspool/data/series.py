"""Series of numbers with labels: .npz, long CSV tables, and the .ts files of UCR, UEA and aeon."""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import array_names, read_arrays
from .labels import label_of, labels_of
from .tables import csv_rows
from .text_files import numbered_lines, read_pieces, suffix_of

SERIES_SUFFIXES = (".npz", ".ts")
LARGEST = float(np.finfo(np.float32).max)  # networks compute with 32 bits
Series = tuple[list[np.ndarray], list[Any], list[str]]


_LOOKED_AT = 50  # lines, to tell a form
_MISSING = "?"  # how .ts files write a label or a number that is not known


def is_series_table(path: Path) -> bool:
    """Whether `path` is a .csv whose first column is named `series`, or a .tsv or .txt of UCR: a
    label and numbers in every line, without a header.
    """
    if suffix_of(path) not in (".csv", ".tsv", ".txt") or not path.is_file():
        return False
    try:
        lines = next(read_pieces(path), "").splitlines()[:_LOOKED_AT]
    except DataError:  # whoever reads it says what is wrong
        return False
    if suffix_of(path) == ".csv":
        return bool(lines) and _header(lines[0].split(","))[0] == "series"
    rows = [_fields(line) for line in lines[:-1] or lines if line.strip()]
    return bool(rows) and all(
        len(row) > 2 and all(map(_is_number, row)) and any("." in field for field in row)
        for row in rows
    )


def _fields(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else line.split()


def _header(fields: list[str]) -> list[str]:
    return [name.strip().strip('"').strip() for name in fields]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def read_series(path: Path, *, aligned: bool = False, labelled: bool = True) -> Series:
    """Series (T, D), their labels (with `aligned` lists, one a step) and where each one is.

    .npz: arrays `series` (B, T, D) or (B, T), `lengths` (B,) where they differ, `labels` (B,)
    or (B, T). .csv: one row a step, columns `series` (a name), `label`, then the numbers.
    .ts: dimensions between colons, the label last. .tsv and .txt: UCR's, a label and numbers a
    line, NaN after the end of shorter ones. Without `labelled`, labels may be missing. Raises
    DataError that names the file and row for lengths of zero, different widths, labels that are
    missing or not declared, numbers that are missing, not finite or too large for 32 bits.
    """
    readers = {".npz": _read_npz, ".ts": _read_ts, ".tsv": _read_ucr, ".txt": _read_ucr}
    read = readers.get(suffix_of(path), _read_csv)
    rows, labels, where = read(path, aligned)
    for row, place in zip(rows, where, strict=True):
        if len(row) == 0:
            raise DataError(f"{place}: the series has length 0: remove it")
        if row.shape[1] != rows[0].shape[1]:
            raise DataError(
                f"{place}: the series has {row.shape[1]} columns, those before {rows[0].shape[1]}"
            )
        usable = (np.abs(row) <= LARGEST).all(axis=1)
        if not usable.all():
            step = int(np.flatnonzero(~usable)[0])
            raise DataError(
                f"{place}: step {step + 1} has a number that is missing, not finite or above "
                f"{LARGEST:.2g}"
            )
    if labelled and not labels:
        hints = {
            ".ts": ": it has no line @classLabel true",
            ".csv": ": its columns must be series, label and numbers",
        }
        hint = hints.get(suffix_of(path), "")
        raise DataError(f"{path} has no labels{hint}")
    return rows, labels, where


def _read_npz(path: Path, aligned: bool) -> Series:
    arrays = read_arrays(path, ("series", "lengths", "labels"))
    if "series" not in arrays:
        names = ", ".join(sorted(array_names(path))) or "nothing"
        raise DataError(
            f"{path} must have the arrays `series` (or `images`) and `labels`, has {names}"
        )
    series = np.asarray(arrays["series"])
    series = series[..., None] if series.ndim == 2 else series
    if series.ndim != 3 or not np.issubdtype(series.dtype, np.number):
        raise DataError(f"{path}: series must be numbers (B, T, D), got shape {series.shape}")
    count, steps = series.shape[:2]
    lengths = arrays.get("lengths", np.full(count, steps))
    where = [f"{path} row {i + 1}" for i in range(count)]
    if lengths.shape != (count,) or not np.issubdtype(lengths.dtype, np.integer):
        raise DataError(f"{path}: lengths must be {count} whole numbers, got {lengths.shape}")
    for length, place in zip(lengths.tolist(), where, strict=True):
        if not 0 <= length <= steps:
            raise DataError(f"{place}: its length must be from 1 to {steps}, got {length}")
    rows = [row[:n].astype(np.float64) for row, n in zip(series, lengths, strict=True)]
    labels = arrays.get("labels")
    return rows, _npz_labels(path, labels, lengths, steps, aligned, where), where


def _npz_labels(
    path: Path, labels: Any, lengths: Any, steps: int, aligned: bool, where: list[str]
) -> list[Any]:
    if labels is None:
        return []
    shape = (len(lengths), steps) if aligned else (len(lengths),)
    if labels.shape != shape:
        raise DataError(f"{path}: labels must have shape {shape}, got {labels.shape}")
    if aligned:
        rows = zip(labels, lengths, where, strict=True)
        return [labels_of(row[:n], [place] * int(n)) for row, n, place in rows]
    return labels_of(labels, where)


def _read_ts(path: Path, aligned: bool) -> Series:
    if aligned:
        raise DataError(f"{path}: .ts files have one label a series, not one a step")
    rows, where = [], []
    labels: list[str] = []
    in_data, declared = False, None
    for number, line in numbered_lines(path):
        line, place = line.strip(), f"{path} row {number}"
        if in_data and line:
            *dimensions, last = line.split(":")
            columns = [*dimensions, last] if declared is None else dimensions
            rows.append(_columns([column.split(",") for column in columns], place, declared))
            labels += [] if declared is None else [_declared_label(last, declared, place)]
            where.append(place)
        elif line.lower().startswith("@data"):
            in_data = True
        elif line.lower().startswith(("@classlabel", "@targetlabel")):
            _, is_labelled, *classes = line.split()
            declared = set(classes) if is_labelled.lower() == "true" else None
        elif line.lower().startswith("@timestamps true"):
            raise DataError(f"{place}: time stamps are not read: give values alone")
    if not rows:
        raise DataError(f"{path} has no series after a line @data")
    return rows, labels, where


def _declared_label(field: str, declared: set[str], place: str) -> str:
    label = label_of(field, place)
    if label == _MISSING:
        raise DataError(f"{place}: the label is missing: remove the series")
    if declared and label not in declared:
        known = ", ".join(sorted(declared)[:20])
        raise DataError(f"{place}: the label {label!r} is none that @classLabel declares: {known}")
    return label


def _read_ucr(path: Path, aligned: bool) -> Series:
    if aligned:
        raise DataError(f"{path}: .tsv files of series have one label a series, not one a step")
    rows, labels, where = [], [], []
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        place = f"{path} row {number}"
        label, *fields = _fields(line)
        values = np.array(_numbers(fields, place))
        known = np.flatnonzero(~np.isnan(values))
        rows.append(values[: known[-1] + 1 if len(known) else 0, None])
        labels.append(label_of(label, place))
        where.append(place)
    return rows, labels, where


def _columns(columns: list[list[str]], place: str, declared: set[str] | None) -> np.ndarray:
    sizes = {len(column) for column in columns}
    if len(sizes) != 1:
        hint = "; a label at the end needs a line `@classLabel true LABELS` before the data"
        raise DataError(
            f"{place}: the dimensions have different lengths, {sorted(sizes)}"
            + (hint if declared is None else "")
        )
    return np.array([_numbers(column, place) for column in columns]).T


def _read_csv(path: Path, aligned: bool) -> Series:
    series: dict[str, list[list[float]]] = {}
    labels: dict[str, list[str]] = {}
    where: dict[str, str] = {}
    rows = csv_rows(path)
    header = _header(next(rows, (1, []))[1])
    first = 2 if header[1:2] == ["label"] else 1  # column of numbers
    if header[:1] != ["series"] or len(header) <= first:
        raise DataError(
            f"{path} row 1: columns must be series, label and at least one of numbers, "
            f"got {', '.join(header)}"
        )
    for number, row in rows:
        place = f"{path} row {number}"
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(f"{place}: has {len(row)} columns, not {len(header)}")
        name = row[0]
        begun = where.setdefault(name, place)
        series.setdefault(name, []).append(_numbers(row[first:], place))
        if first == 2:
            tags = labels.setdefault(name, [])
            tags.append(_declared_label(row[1], set(), place))
            if not aligned and tags[0] != tags[-1]:
                raise DataError(
                    f"{place}: series {name} has the label {tags[-1]!r}, "
                    f"at its beginning ({begun}) {tags[0]!r}"
                )
    tags_of = [tags if aligned else tags[0] for tags in labels.values()]
    return [np.array(rows) for rows in series.values()], tags_of, list(where.values())


def _numbers(fields: list[str], place: str) -> list[float]:
    try:
        return [float("nan") if field.strip() in ("?", "") else float(field) for field in fields]
    except ValueError as error:
        hint = "; commas must separate the numbers, not tabs" if "\t" in "".join(fields) else ""
        raise DataError(f"{place}: {error}{hint}") from error
