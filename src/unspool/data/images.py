"""Images with labels: IDX files such as MNIST's, .npz, and scikit-learn's digits."""

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..limits import MAX_ARRAY_BYTES
from .arrays import array_names, read_arrays
from .labels import labels_of
from .series import LARGEST
from .text_files import suffix_of

DIGITS = "sklearn:digits"
Images = tuple[list[np.ndarray], list[str], list[str]]

_IDX = re.compile(r"[.-]idx\d?(-ubyte)?(\.gz)?$", re.IGNORECASE)
# The third byte of an IDX file's magic number is the type, the fourth the number of dimensions.
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_images(source: str | Path) -> bool:
    """Whether a source holds images: by its name, or as an .npz with an array `images`."""
    path = Path(source)
    if str(source) == DIGITS or _IDX.search(path.name):
        return True
    return suffix_of(path) == ".npz" and "images" in array_names(path)


def read_images(source: str | Path, *, labelled: bool = True) -> Images:
    """Images (H, W, C), their labels and where each one is.

    IDX (LeCun's MNIST; also .gz): `train-images-idx3-ubyte`, the labels in
    `train-labels-idx1-ubyte` beside it. .npz: `images` (B, H, W) or (B, H, W, C) and `labels`
    (B,). `sklearn:digits`: 1,797 images of 8x8 that come with scikit-learn. Without `labelled`,
    labels may be missing. Raises DataError that names the file and row for files that are
    damaged, counts that differ and pixels that are not finite.
    """
    path = Path(source)
    labels: np.ndarray | None
    if str(source) == DIGITS:
        images, labels = _digits()
    elif suffix_of(path) == ".npz":
        arrays = read_arrays(path, ("images", "labels"))
        images, labels = arrays["images"], arrays.get("labels")
    else:
        images = _read_idx(path, "images", (3, 4))
        found = _labels_beside(path, labelled)
        labels = None if found is None else _read_idx(found, "labels", (1,))
    images = _checked(images, str(source))
    where = [f"{source} row {i}" for i in range(1, len(images) + 1)]
    if labels is None:
        if labelled:
            raise DataError(f"{source} has no labels")
        return list(images), [], where
    if labels.shape != (len(images),):
        raise DataError(
            f"{source} has {len(images)} images, but labels of shape {labels.shape}: "
            "each image must have one label"
        )
    return list(images), labels_of(labels, where), where


def _digits() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            f"{DIGITS} comes with scikit-learn: pip install 'unspool[digits]'"
        ) from error
    found = load_digits()
    return found.images, found.target


def _checked(images: np.ndarray, source: str) -> np.ndarray:
    """Images as (B, H, W, C), all of them of finite numbers."""
    if images.ndim == 3:
        images = images[..., None]
    is_number = np.issubdtype(images.dtype, np.number) or images.dtype == bool
    if images.ndim != 4 or not is_number or 0 in images.shape[1:]:
        raise DataError(
            f"{source}: images must be numbers (B, H, W) or (B, H, W, C), "
            f"got {images.dtype} of shape {images.shape}"
        )
    if np.issubdtype(images.dtype, np.inexact):
        broken = np.flatnonzero(~(np.abs(images) <= LARGEST).all(axis=(1, 2, 3)))
        if len(broken):
            raise DataError(
                f"{source} row {broken[0] + 1}: a pixel is missing, not finite or above "
                f"{LARGEST:.2g}: remove the image"
            )
    return images


def _labels_beside(path: Path, labelled: bool) -> Path | None:
    """The labels file of an images file, as MNIST names it, compressed or not."""
    name = "labels".join(path.name.rsplit("images", 1)).replace("idx3", "idx1")
    plain = name.removesuffix(".gz")
    names = [name, plain if name != plain else f"{plain}.gz"]
    for name in names:
        if name != path.name and path.with_name(name).is_file():
            return path.with_name(name)
    if not labelled:
        return None
    if "images" not in path.name:
        raise DataError(
            f"{path}: its name must have `images` where that of its labels has `labels`, "
            "as in train-images-idx3-ubyte"
        )
    raise DataError(f"{path} has no labels beside it: looked for {' and '.join(names)}")


def _read_idx(path: Path, what: str, dimensions: tuple[int, ...]) -> np.ndarray:
    """The header, and then no more than it promises."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            return _read_promised(file, path, what, dimensions)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: give a file of images") from error
    except EOFError as error:
        raise DataError(f"{path} is truncated: its compressed data has no end") from error
    except (OSError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _read_promised(file: Any, path: Path, what: str, dimensions: tuple[int, ...]) -> np.ndarray:
    head = file.read(4)
    kind = _TYPES.get(head[2]) if len(head) == 4 and head[:2] == b"\0\0" else None
    if kind is None or head[3] not in dimensions:
        wanted = " or ".join(f"{0x0800 + n:#010x}" for n in dimensions)
        raise DataError(
            f"{path}: the magic number of IDX {what} must be {wanted} (or of another type of "
            f"number), got {'0x' + head.hex() if head else 'an empty file'}"
        )
    sizes = file.read(4 * head[3])
    shape = [int.from_bytes(sizes[i : i + 4], "big") for i in range(0, 4 * head[3], 4)]
    row = math.prod(shape[1:]) * np.dtype(kind).itemsize
    promised = shape[0] * row
    if promised > MAX_ARRAY_BYTES:
        raise DataError(
            f"{path} must take at most {MAX_ARRAY_BYTES >> 30} GiB, its header says {shape}"
        )
    data = file.read(promised)
    if len(data) < promised or len(sizes) < 4 * head[3]:
        raise DataError(
            f"{path} is truncated: its header promises {shape[0]} {what}, "
            f"it ends in row {len(data) // max(row, 1) + 1}"
        )
    if file.read(1):
        raise DataError(f"{path} has more than the {shape[0]} {what} that its header promises")
    return np.frombuffer(data, kind).reshape(shape)


def size_of(shape: tuple[int, ...]) -> str:
    """8x8, or 28x28x3 where there is more than one channel."""
    height, width, channels = shape
    return f"{height}x{width}" + (f"x{channels}" if channels > 1 else "")
