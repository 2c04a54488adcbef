"""Series of numbers with labels: .npz, long CSV tables, .ts files of UEA and aeon, UCR's tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import LARGEST, array_names, fits_32_bits, is_real, read_arrays
from .labels import label_of, labels_of
from .left_out import listed, printable
from .tables import csv_rows, header_of
from .text_files import numbered_lines, read_pieces, suffix_of

SERIES_SUFFIXES = (".npz", ".ts")
Series = tuple[list[np.ndarray], list[Any], list[str]]

_MISSING = "?"  # how text files write a label or a number that is unknown
_LOOKED_AT = 50  # lines read to recognise a format


def is_series_table(path: Path) -> bool:
    """Say whether `path` is a .csv or .tsv whose first named column is `series`, or one of UCR's
    tables: a label and numbers in every line, without a header.
    """
    suffix = suffix_of(path)
    if suffix not in (".csv", ".tsv", ".txt") or not path.is_file():
        return False
    if suffix != ".txt" and next(filter(None, header_of(path)), "") == "series":
        return True
    try:
        lines = next(read_pieces(path), "").splitlines()[:_LOOKED_AT]
    except DataError:  # reading it will say what is wrong
        return False
    rows = [_ucr_fields(line) for line in lines[:-1] or lines if line.strip()]
    if not rows or not all(len(row) > 2 and all(map(_is_number, row)) for row in rows):
        return False
    # A text may be whole numbers between spaces; between tabs or commas it would have a header.
    return suffix != ".txt" or all(any("." in field for field in row) for row in rows)


def read_series(path: Path, *, aligned: bool = False, labelled: bool = True) -> Series:
    """Read series (T, D), their labels (lists with one per step if `aligned`) and where each one
    is.

    .npz: arrays `series` (B, T, D) or (B, T), `lengths` (B,) if they differ, `labels` (B,) or (B,
    T). .csv: one row per step, columns `series` (a name), `label`, and numbers. .ts: dimensions
    between colons, the label last. UCR's .tsv, .txt and .csv: a label and numbers on each line,
    without a header, NaN after the end of shorter ones. Unless `labelled`, labels may be missing.
    Raises DataError, naming the file and row, for lengths of zero, different widths, labels that
    are missing or not declared, and numbers that are missing, not finite or too large for 32 bits.
    """
    rows, labels, where = _reader(path)(path, aligned, labelled)
    if not labelled and any("" in (label if aligned else [label]) for label in labels):
        labels = []
    for row, place in zip(rows, where, strict=True):
        if len(row) == 0:
            raise DataError(f"{place}: the series has length 0: remove it")
        if row.shape[1] != rows[0].shape[1]:
            raise DataError(
                f"{place}: the series has {row.shape[1]} columns, those before {rows[0].shape[1]}"
            )
        usable = fits_32_bits(row).all(axis=1)
        if not usable.all():
            raise DataError(
                f"{place}: step {np.argmin(usable) + 1} has a number that is missing, not finite "
                f"or above {LARGEST:.2g}"
            )
    if labelled and rows and not labels:
        hint = {".ts": "line `@classLabel true`", ".npz": "array `labels`"}.get(suffix_of(path))
        raise DataError(f"{path} has no labels: it has no {hint or 'column `label`'}")
    return rows, labels, where


def _reader(path: Path) -> Any:
    known = {".npz": _read_npz, ".ts": _read_ts}.get(suffix_of(path))
    if known is None:
        return _read_csv if "series" in header_of(path) else _read_ucr
    return known


def _read_npz(path: Path, aligned: bool, labelled: bool) -> Series:
    arrays = read_arrays(path, ("series", "lengths", "labels"))
    if "series" not in arrays:
        raise DataError(
            f"{path} must have the arrays `series` (or `images`) and `labels`, has "
            f"{listed(sorted(array_names(path)))}"
        )
    series = arrays["series"]
    series = series[..., None] if series.ndim == 2 else series
    if series.ndim != 3 or not is_real(series) or series.dtype == bool:
        raise DataError(
            f"{path}: series must be numbers (B, T, D), got {series.dtype} of shape {series.shape}"
        )
    count, steps = series.shape[:2]
    lengths = arrays.get("lengths", np.full(count, steps))
    where = [f"{path} row {i + 1}" for i in range(count)]
    if lengths.shape != (count,) or not np.issubdtype(lengths.dtype, np.integer):
        raise DataError(f"{path}: lengths must be {count} whole numbers, got {lengths.shape}")
    for length, place in zip(lengths.tolist(), where, strict=True):
        if not 0 <= length <= steps:
            raise DataError(f"{place}: its length must be from 1 to {steps}, got {length}")
    with np.errstate(over="ignore"):  # of numbers beyond 64 bits: `read_series` refuses them
        rows = [row[:n].astype(np.float64) for row, n in zip(series, lengths, strict=True)]
    labels = arrays.get("labels")
    if labels is None:
        return rows, [], where
    shape = (count, steps) if aligned else (count,)
    if labels.shape != shape:
        raise DataError(f"{path}: labels must have shape {shape}, got {labels.shape}")
    return rows, _npz_labels(labels, lengths, where), where


def _npz_labels(labels: np.ndarray, lengths: np.ndarray, where: list[str]) -> list[Any]:
    if labels.ndim == 1:
        return labels_of(labels, where)
    rows = zip(labels, lengths, where, strict=True)
    return [
        labels_of(row[:n], [f"{place} step {i + 1}" for i in range(n)]) for row, n, place in rows
    ]


def _read_ts(path: Path, aligned: bool, labelled: bool) -> Series:
    if aligned:
        raise DataError(f"{path}: .ts files have one label a series, not one a step")
    lines = ((number, line.strip()) for number, line in numbered_lines(path))
    classes = _ts_header(path, lines)
    rows, where = [], []
    labels: list[str] = []
    for number, line in lines:
        if not line or line.startswith("#"):
            continue
        place = f"{path} row {number}"
        columns = [column.split(",") for column in line.split(":")]
        if classes is not None:
            labels.append(_declared(",".join(columns.pop()), classes, place, labelled))
        elif not all(map(_is_number, columns[-1])):
            raise DataError(
                f"{place}: ends in {','.join(columns[-1])[:40]!r}, which is not a number; a label "
                "at the end needs a line `@classLabel true LABELS` before the data"
            )
        rows.append(_columns(columns, place))
        where.append(place)
    if not rows:
        raise DataError(f"{path} has no series after a line @data")
    return rows, labels, where


def _ts_header(path: Path, lines: Iterator[tuple[int, str]]) -> set[str] | None:
    """Read the classes declared before @data (any, if none is named); None: no labels."""
    classes = None
    for number, line in lines:
        key, value, *rest = (*line.split(), "", "")
        key, is_true = key.lower(), value.lower() == "true"
        if key == "@data":
            break
        if key in ("@classlabel", "@targetlabel"):
            classes = set(filter(None, rest)) if is_true else None
        elif key == "@timestamps" and is_true:
            raise DataError(
                f"{path} row {number}: time stamps are not supported: write values only"
            )
    return classes


def _declared(field: str, classes: set[str], place: str, labelled: bool) -> str:
    """Check the label of a text file: one of `classes`, or any if there are none; "" if it is
    missing and need not be there.
    """
    is_missing = field.strip() in ("", _MISSING) and field.strip() not in classes
    if is_missing and not labelled:
        return ""
    label = label_of(field, place)
    if is_missing:
        raise DataError(f"{place}: the label is missing ({_MISSING}): remove the series")
    if classes and label not in classes:
        known = listed(sorted(classes))
        raise DataError(f"{place}: the label {label!r} is not declared by @classLabel: {known}")
    return label


def _columns(columns: list[list[str]], place: str) -> np.ndarray:
    sizes = {len(column) for column in columns}
    if len(sizes) != 1:
        raise DataError(f"{place}: the dimensions have different lengths, {sorted(sizes)}")
    return np.array([_numbers(column, place) for column in columns]).T


def _read_ucr(path: Path, aligned: bool, labelled: bool) -> Series:
    if aligned:
        raise DataError(f"{path} has series with one label each, so there are no steps to tag")
    rows, labels, where = [], [], []
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        place = f"{path} row {number}"
        label, *fields = _ucr_fields(line)
        values = np.array(_numbers(fields, place))
        known = np.flatnonzero(~np.isnan(values))
        rows.append(values[: known[-1] + 1 if len(known) else 0, None])
        labels.append(_ucr_label(label, place, labelled))
        where.append(place)
    return rows, labels, where


def _ucr_fields(line: str) -> list[str]:
    separator = next((sign for sign in "\t," if sign in line), None)
    return line.strip("\r").split(separator)


def _ucr_label(field: str, place: str, labelled: bool) -> str:
    """Read a label; 1.0000000e+00, as older files write it, is 1."""
    label = _declared(field, set(), place, labelled)
    if not label:
        return ""
    value = float(label) if _is_number(label) else float("nan")
    if np.isnan(value):
        raise DataError(f"{place}: the label must be a number, got {label[:40]!r}")
    return str(int(value)) if value.is_integer() else label


def _read_csv(path: Path, aligned: bool, labelled: bool) -> Series:
    series: dict[str, list[list[float]]] = {}
    labels: dict[str, list[str]] = {}
    where: dict[str, str] = {}
    for place, name, label, values in _csv_rows(path, labelled):
        first = where.setdefault(name, place)
        rows, tags = series.setdefault(name, []), labels.setdefault(name, [])
        if not aligned and tags and tags[0] != label:
            raise DataError(
                f"{place}: series {printable(name)} has the label {label!r}, "
                f"but {tags[0]!r} at its start ({first})"
            )
        rows.append(values)
        tags += [] if label is None else [label]
    found = [tags if aligned else tags[0] for tags in labels.values() if tags]
    return [np.array(rows) for rows in series.values()], found, list(where.values())


def _csv_rows(path: Path, labelled: bool) -> Iterator[tuple[str, str, str | None, list[float]]]:
    """Yield place, name, label (None if there is no such column) and numbers of each step."""
    rows = csv_rows(path)
    _, header = next(rows)
    names = header_of(path)
    numbers = [i for i, name in enumerate(names) if name and name not in ("series", "label")]
    if len(set(names)) != len(names) or not numbers:
        raise DataError(
            f"{path} row 1: columns must be series, label and at least one of numbers, each with "
            f"a different name, got {listed(header)}"
        )
    for number, row in rows:
        place = f"{path} row {number}"
        if not row:
            continue
        if len(row) != len(names):
            raise DataError(f"{place}: has {len(row)} columns, not {len(names)}")
        label = None
        if "label" in names:
            label = _declared(row[names.index("label")], set(), place, labelled)
        yield place, row[names.index("series")], label, _numbers([row[i] for i in numbers], place)


def _numbers(fields: list[str], place: str) -> list[float]:
    try:
        return [
            float("nan") if field.strip() in (_MISSING, "") else float(field) for field in fields
        ]
    except ValueError as error:
        hint = "; commas must separate the numbers, not tabs" if "\t" in "".join(fields) else ""
        raise DataError(f"{place}: {str(error)[:200]}{hint}") from error


def _is_number(field: str) -> bool:
    """Say whether a field is a number, or marked as missing."""
    try:
        float(field)
    except ValueError:
        return field.strip() in (_MISSING, "")
    return True
