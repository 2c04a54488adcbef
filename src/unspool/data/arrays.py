"""Arrays of .npz files that somebody sent: those that are asked for, as their headers promise."""

import math
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import DataError
from ..limits import MAX_ARRAY_BYTES

# What `zipfile` and NumPy raise for files that are damaged, encrypted or packed in another way.
_ERRORS = (
    OSError, ValueError, EOFError, RuntimeError, NotImplementedError, TypeError, SyntaxError,
    OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def array_names(path: Path) -> set[str]:
    """The names of the arrays of an .npz file; none if it is no such file."""
    try:
        with zipfile.ZipFile(path) as file:
            return {n.removesuffix(".npy") for n in file.namelist() if n.endswith(".npy")}
    except _ERRORS:  # whoever reads it says what is wrong
        return set()


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Those of the named arrays that an .npz file has, nothing else of it.

    Raises DataError if it is no such file, an array is damaged, holds Python objects or would
    take more than `MAX_ARRAY_BYTES`, which its header says before anything is read.
    """
    if not path.is_file():
        raise DataError(f"{path} {'is not a regular file' if path.exists() else 'does not exist'}")
    try:
        with zipfile.ZipFile(path) as file:
            members = set(file.namelist())
            return {
                name: _read(file.open(f"{name}.npy"), path, name)
                for name in names
                if f"{name}.npy" in members
            }
    except _ERRORS as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not a readable .npz file: {error}") from error


def _read(file: IO[bytes], path: Path, name: str) -> np.ndarray:
    with file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise DataError(f"{path}: {name} has the version {version}, which is not read")
        shape, by_columns, dtype = read(file)
        if dtype.hasobject:
            raise DataError(f"{path}: {name} holds Python objects", "save numbers or texts")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size > MAX_ARRAY_BYTES:
            raise DataError(
                f"{path}: {name} must take at most {MAX_ARRAY_BYTES >> 30} GiB, "
                f"its shape is {shape}"
            )
        content = file.read(size)
        if len(content) != size:
            raise DataError(f"{path}: {name} is truncated")
        array = np.frombuffer(content, dtype, math.prod(shape)) if size else np.empty(0, dtype)
        return array.reshape(shape, order="F" if by_columns else "C")
