"""Images with labels: IDX files such as MNIST's, .npz, and scikit-learn's digits."""

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from .. import files
from ..errors import DataError
from ..limits import MAX_ARRAY_BYTES
from .arrays import (
    LARGEST,
    array_names,
    as_array,
    fits_32_bits,
    is_real,
    read_arrays,
    read_promised,
)
from .labels import labels_of
from .text_files import suffix_of

DIGITS = "sklearn:digits"
Images = tuple[list[np.ndarray], list[str], list[str]]

_IDX = re.compile(r"[.-]idx\d?(-ubyte)?(\.gz)?$", re.IGNORECASE)
# The third byte of an IDX file's magic number is the type, the fourth the number of dimensions.
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_images(source: str | Path) -> bool:
    """Say whether a source holds images, by its name or as an .npz with an array `images`."""
    path = Path(source)
    if str(source) == DIGITS or _IDX.search(path.name):
        return True
    return suffix_of(path) == ".npz" and "images" in array_names(path)


def read_images(source: str | Path, *, labelled: bool = True) -> Images:
    """Read images (H, W, C), their labels and where each one is.

    IDX (LeCun's MNIST; also .gz): `train-images-idx3-ubyte`, with the labels beside it in
    `train-labels-idx1-ubyte`. .npz: `images` (B, H, W) or (B, H, W, C) and `labels` (B,).
    `sklearn:digits`: 1,797 images of 8x8 that come with scikit-learn. Unless `labelled`, labels may
    be missing. Raises DataError, naming file and row, if a file is damaged, counts differ, or
    pixels are not finite.
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
    """Return images as (B, H, W, C) after checking that all numbers are finite."""
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not is_real(images) or 0 in images.shape[1:]:
        raise DataError(
            f"{source}: images must be numbers (B, H, W) or (B, H, W, C), "
            f"got {images.dtype} of shape {images.shape}"
        )
    for i, image in enumerate(images, 1):  # one at a time, since all may fill half of the memory
        if not fits_32_bits(image).all():
            raise DataError(
                f"{source} row {i}: a pixel is missing, not finite or above {LARGEST:.2g}: "
                "remove the image"
            )
    return images


def _labels_beside(path: Path, labelled: bool) -> Path | None:
    """Find the labels file of an images file, named as MNIST's, compressed or not."""
    begin = path.name.lower().rfind("images")
    name = path.name
    if begin >= 0:
        word = "LABELS" if name[begin:].startswith("IMAGES") else "labels"
        name = name[:begin] + word + name[begin + len(word) :]
    name = re.sub("(idx)3", r"\g<1>1", name, flags=re.IGNORECASE)
    plain = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    names = [name, plain if name != plain else f"{plain}.gz"]
    for name in names:
        if name != path.name and path.with_name(name).is_file():
            return path.with_name(name)
    if not labelled:
        return None
    if begin < 0:
        raise DataError(
            f"{path}: its name must have `images` where that of its labels has `labels`, "
            "as in train-images-idx3-ubyte"
        )
    raise DataError(f"{path} has no labels beside it: searched for {' and '.join(names)}")


def _read_idx(path: Path, what: str, dimensions: tuple[int, ...]) -> np.ndarray:
    """Read the header, and then no more than it announces."""
    with _opened(path) as file:
        kind, shape = _idx_header(file, path, what, dimensions)
        row = math.prod(shape[1:]) * kind.itemsize
        size = shape[0] * row
        if size > max(MAX_ARRAY_BYTES, path.stat().st_size):
            raise DataError(
                f"{path} must have {what} of at most {MAX_ARRAY_BYTES >> 30} GiB, its header "
                f"announces {kind} of {shape}"
            )
        data = read_promised(file, size)
        if len(data) < size:
            raise DataError(
                f"{path} is truncated: its header announces {shape[0]} {what}, "
                f"it ends in row {len(data) // row + 1}"
            )
        if file.read(1):
            raise DataError(f"{path} has more than the {shape[0]} {what} that its header announces")
    try:
        return as_array(data, kind, shape)
    except ValueError as error:  # sides of billions along with one of zero
        raise DataError(f"{path}: {what} cannot have the shape {shape}") from error


def _idx_header(
    file: IO[bytes], path: Path, what: str, dimensions: tuple[int, ...]
) -> tuple[np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    kind = _TYPES.get(magic[2]) if len(magic) == 4 and magic[:2] == b"\0\0" else None
    if kind is None or magic[3] not in dimensions:
        wanted = " or ".join(f"{0x0800 + n:#010x}" for n in dimensions)
        raise DataError(
            f"{path}: the magic number of IDX {what} must be {wanted} (or another type of "
            f"number), got {'0x' + magic.hex() if magic else 'an empty file'}"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path} is truncated: it ends in its header")
    return np.dtype(kind), tuple(np.frombuffer(sizes, ">u4").tolist())


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressing gzip, whatever its name."""
    try:
        with files.open_regular(path) as raw:
            is_packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if is_packed else raw as file:
                yield file
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: name a file of images") from error
    except EOFError as error:
        raise DataError(f"{path} is truncated: its compressed data has no end") from error
    except (OSError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', 0) or error}") from error


def size_of(shape: tuple[int, ...]) -> str:
    """Format a size: 8x8, or 28x28x3 if there is more than one channel."""
    height, width, channels = shape
    return f"{height}x{width}" + (f"x{channels}" if channels > 1 else "")
