"""What may be a label: one rule for tables, series and images."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError


def labels_of(values: np.ndarray, where: Sequence[str]) -> list[str]:
    """The labels of an array (N,) as texts; DataError naming the row of one that is missing."""
    return [label_of(value, place) for value, place in zip(values.tolist(), where, strict=True)]


def label_of(value: Any, where: str) -> str:
    """One label as a text, without white space around it.

    Bytes are UTF-8. Raises DataError for a label that is empty, not finite, or no text and no
    number.
    """
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: the label {value!r} is not UTF-8 text") from error
    is_number = isinstance(value, int | float)
    if not (isinstance(value, str) or (is_number and math.isfinite(value))):
        raise DataError(f"{where}: the label must be a text or a number, got {value!r}")
    label = str(value).strip()
    if not label:
        raise DataError(f"{where}: the label is empty")
    return label
