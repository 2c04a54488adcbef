"""Check labels, by one rule for tables, series and images."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError


def labels_of(values: np.ndarray, where: Sequence[str]) -> list[str]:
    """Convert the labels of an array (N,) to strings. Raises DataError, naming the row, if one is
    missing.
    """
    return [label_of(value, place) for value, place in zip(values.tolist(), where, strict=True)]


def label_of(value: Any, where: str) -> str:
    """Convert a label to a string, without white space around it.

    Bytes are UTF-8. Raises DataError if a label is empty, not finite, or neither a string nor a
    number.
    """
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: the label {value!r} is not UTF-8 text") from error
    is_number = isinstance(value, int | float)
    if not (isinstance(value, str) or (is_number and math.isfinite(value))):
        raise DataError(f"{where}: the label must be a string or a number, got {value!r}")
    label = str(value).strip()
    if not label:
        raise DataError(f"{where}: the label is empty")
    return label
