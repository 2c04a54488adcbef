"""Read the requested arrays of untrusted .npz files, no more than their headers announce."""

import io
import math
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from .. import files
from ..errors import DataError
from ..limits import MAX_ARRAY_BYTES, MAX_ARRAY_HEADER_BYTES

LARGEST = float(np.finfo(np.float32).max)  # networks compute in 32 bits
_MAGIC = b"\x93NUMPY"
_HEADERS: dict[bytes, tuple[int, Any]] = {  # by version: bytes of the length field, and the parser
    b"\1\0": (2, np.lib.format.read_array_header_1_0),
    b"\2\0": (4, np.lib.format.read_array_header_2_0),
}


def array_names(path: Path) -> set[str]:
    """Return the names of the arrays of an .npz file; none if it is not one."""
    try:
        with files.open_zip(path) as archive:
            names = archive.namelist()
    except Exception:  # reading it will say what is wrong
        return set()
    return {name.removesuffix(".npy") for name in names if name.endswith(".npy")}


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read those of the named arrays that an .npz file has, and nothing else of it.

    Raises DataError if it is not such a file, or if an array is damaged, holds Python objects or
    would take more than `MAX_ARRAY_BYTES` (or more than the file has), which its header says before
    anything is read.
    """
    try:
        with files.open_zip(path) as archive:
            members = set(archive.namelist())
            found = [name for name in names if f"{name}.npy" in members]
            most = max(MAX_ARRAY_BYTES, path.stat().st_size)
            return {name: _read(archive.open(f"{name}.npy"), name, most) for name in found}
    except DataError as error:
        raise DataError(f"{path}: {error.fact}", error.remedy) from error
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except Exception as error:  # hostile bytes may raise anything
        reason = str(error)[:200] or type(error).__name__
        raise DataError(f"{path} is not a readable .npz file: {reason}") from error


def read_promised(file: IO[bytes], size: int) -> bytearray:
    """Read `size` bytes, or as many as there are; memory is allocated as they come."""
    content = bytearray()
    while len(content) < size and (piece := file.read(min(size - len(content), 1 << 20))):
        content += piece
    return content


def as_array(content: bytearray, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """View bytes as an array. Raises ValueError if NumPy cannot have such a shape."""
    if math.prod(shape) * dtype.itemsize:
        return np.frombuffer(content, dtype).reshape(shape)
    return np.zeros(shape, dtype)


def fits_32_bits(values: np.ndarray) -> np.ndarray:
    """Say which numbers are finite, also as 32-bit floats."""
    if values.dtype.kind in "biu":  # the largest, 2^64, is far below
        return np.ones(values.shape, bool)
    with np.errstate(over="ignore"):
        return np.isfinite(values.astype(np.float32))


def is_real(values: np.ndarray) -> bool:
    """Say whether an array holds booleans or real numbers."""
    return values.dtype.kind in "biuf"


def _read(file: IO[bytes], name: str, most: int) -> np.ndarray:
    with file:
        shape, by_columns, dtype = _header(file, name)
        if dtype.hasobject:
            raise DataError(f"{name} holds Python objects", "save numbers or strings")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size > most:
            raise DataError(
                f"{name} must take at most {most >> 30} GiB, its header says {dtype} of {shape}"
            )
        content = read_promised(file, size)
        if len(content) != size:
            raise DataError(f"{name} is truncated: its header announces {size} bytes")
        if file.read(1):  # at the end zipfile also checks the checksum
            raise DataError(f"{name} has more than the {size} bytes that its header announces")
    return (
        as_array(content, dtype, shape[::-1]).T if by_columns else as_array(content, dtype, shape)
    )


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return the shape, whether the order is Fortran's, and the type."""
    begin = file.read(len(_MAGIC) + 2)
    if begin[:-2] != _MAGIC or begin[-2:] not in _HEADERS:
        raise DataError(f"{name} does not begin like an array of NumPy's version 1 or 2")
    width, parse = _HEADERS[begin[-2:]]
    length = file.read(width)
    if int.from_bytes(length, "little") > MAX_ARRAY_HEADER_BYTES:
        raise DataError(f"{name} has a header of more than {MAX_ARRAY_HEADER_BYTES:,} bytes")
    text = length + file.read(int.from_bytes(length, "little"))
    with warnings.catch_warnings():  # about headers that Python 2 wrote
        warnings.simplefilter("ignore")
        return parse(io.BytesIO(text), max_header_size=MAX_ARRAY_HEADER_BYTES)
