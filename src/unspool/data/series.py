"""Series of numbers with labels: .npz, long CSV tables, and the .ts files of UCR, UEA and aeon."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..errors import DataError
from .sources import read_pieces

SERIES_SUFFIXES = (".npz", ".ts")
Series = tuple[list[np.ndarray], list[Any], list[str]]


def is_series_table(path: Path) -> bool:
    """Whether `path` is a .csv whose first column is named `series`."""
    if path.suffix != ".csv" or not path.is_file():
        return False
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return file.readline().split(",")[0].strip() == "series"


def read_series(path: Path, *, aligned: bool = False, labelled: bool = True) -> Series:
    """Series (T, D), their labels (with `aligned` lists, one a step) and where each one is.

    .npz: arrays `series` (B, T, D) or (B, T), `lengths` (B,) where they differ, `labels` (B,)
    or (B, T). .csv: one row a step, columns `series` (a name), `label`, then the numbers.
    .ts: dimensions between colons, the label last. Without `labelled`, labels may be missing.
    Raises DataError that names the file and row for lengths of zero, different widths, numbers
    that are missing or not finite.
    """
    read = {".npz": _read_npz, ".ts": _read_ts}.get(path.suffix, _read_csv)
    rows, labels, where = read(path, aligned)
    for row, place in zip(rows, where, strict=True):
        if len(row) == 0:
            raise DataError(f"{place}: the series has length 0: remove it")
        if row.shape[1] != rows[0].shape[1]:
            raise DataError(
                f"{place}: the series has {row.shape[1]} columns, those before {rows[0].shape[1]}"
            )
        if not np.isfinite(row).all():
            step = int(np.flatnonzero(~np.isfinite(row).all(axis=1))[0])
            raise DataError(f"{place}: step {step + 1} has a number that is missing or not finite")
    if labelled and not labels:
        raise DataError(f"{path} has no labels")
    return rows, labels, where


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; DataError where it is none."""
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{path} is not a readable .npz file: {error}") from error


def _read_npz(path: Path, aligned: bool) -> Series:
    arrays = read_arrays(path)
    if "series" not in arrays:
        names = ", ".join(arrays) or "nothing"
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
    return rows, _npz_labels(path, arrays.get("labels"), lengths, steps, aligned), where


def _npz_labels(path: Path, labels: Any, lengths: Any, steps: int, aligned: bool) -> list[Any]:
    if labels is None:
        return []
    shape = (len(lengths), steps) if aligned else (len(lengths),)
    if labels.shape != shape:
        raise DataError(f"{path}: labels must have shape {shape}, got {labels.shape}")
    if aligned:
        return [[str(tag) for tag in row[:n]] for row, n in zip(labels, lengths, strict=True)]
    return [str(label) for label in labels]


def _read_ts(path: Path, aligned: bool) -> Series:
    if aligned:
        raise DataError(f"{path}: .ts files have one label a series, not one a step")
    rows, labels, where = [], [], []
    in_data, has_label = False, False
    for number, line in enumerate("".join(read_pieces(path)).split("\n"), start=1):
        line, place = line.strip(), f"{path} row {number}"
        if in_data and line:
            *dimensions, last = line.split(":")
            columns = dimensions if has_label else [*dimensions, last]
            rows.append(_columns([column.split(",") for column in columns], place))
            labels += [last.strip()] if has_label else []
            where.append(place)
        elif line.lower().startswith("@data"):
            in_data = True
        elif line.lower().startswith(("@classlabel true", "@targetlabel true")):
            has_label = True
        elif line.lower().startswith("@timestamps true"):
            raise DataError(f"{place}: time stamps are not read: give values alone")
    if not rows:
        raise DataError(f"{path} has no series after a line @data")
    return rows, labels, where


def _columns(columns: list[list[str]], place: str) -> np.ndarray:
    sizes = {len(column) for column in columns}
    if len(sizes) != 1:
        raise DataError(f"{place}: the dimensions have different lengths, {sorted(sizes)}")
    return np.array([_numbers(column, place) for column in columns]).T


def _read_csv(path: Path, aligned: bool) -> Series:
    series: dict[str, list[list[float]]] = {}
    labels: dict[str, list[str]] = {}
    where: dict[str, str] = {}
    for number, name, label, values in _csv_rows(path):
        place = where.setdefault(name, f"{path} row {number}")
        rows, tags = series.setdefault(name, []), labels.setdefault(name, [])
        if not aligned and tags and tags[0] != label:
            raise DataError(
                f"{path} row {number}: series {name} has the label {label!r}, "
                f"at its beginning ({place}) {tags[0]!r}"
            )
        rows.append(values)
        tags.append(label)
    tags_of = [tags if aligned else tags[0] for tags in labels.values()]
    return [np.array(rows) for rows in series.values()], tags_of, list(where.values())


def _csv_rows(path: Path) -> Iterator[tuple[int, str, str, list[float]]]:
    reader = csv.reader("".join(read_pieces(path)).splitlines(keepends=True))
    header = [name.strip() for name in next(reader, [])]
    if header[:2] != ["series", "label"] or len(header) < 3:
        raise DataError(
            f"{path} row 1: columns must be series, label and at least one of numbers, "
            f"got {', '.join(header)}"
        )
    for row in reader:
        place = f"{path} row {reader.line_num}"
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(f"{place}: has {len(row)} columns, not {len(header)}")
        yield reader.line_num, row[0], row[1].strip(), _numbers(row[2:], place)


def _numbers(fields: list[str], place: str) -> list[float]:
    try:
        return [float("nan") if field.strip() in ("?", "") else float(field) for field in fields]
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
