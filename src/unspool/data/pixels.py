"""Decode pictures: any format and mode becomes RGB, or a one-line error."""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, UnspoolError
from ..limits import MAX_PIXELS

if TYPE_CHECKING:
    from PIL import Image

# Without EPS: it is a program, which Pillow would start Ghostscript to run.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")

_ORIENTATION = 0x0112  # the EXIF tag
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # TIFF tags
# EXIF's numbers 2 to 8 say how the camera was held; these operations turn the pixels upright.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a[:, ::-1].transpose(1, 0, 2),
}
_BAND = 256  # rows
_COST = 8  # bytes of memory per pixel during decoding, with the result
_COSTS = {"WEBP": 16, "JPEG2000": 20, "AVIF": 12}  # formats that take more
_filters = threading.Lock()
# Our error says what is wrong with a file; without a handler stderr would too.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def decode_picture(content: bytes, name: str = "the picture") -> np.ndarray:
    """Decode a picture into pixels (H, W, 3), uint8 RGB.

    EXIF's orientation is applied. Black and white, grey, CMYK and palettes become RGB, transparent
    pixels become white, 16 bits are rounded to 8, and of an animation the first frame is used.
    Raises DataError, with `name` and the reason, if the file is empty, truncated or unknown, has
    floating-point or 32-bit pixels or LAB colours, or has more than 89,478,485 pixels (fewer in
    formats that take more memory), which the header says before anything is decoded; UnspoolError
    if Pillow is not installed.
    """
    if not content:
        raise DataError(f"{name} is empty")
    try:
        image = _opened(content, name)
        image.load()
        pixels = _rgb(image, name)
        orientation = _orientation(image)
        image.close()  # so that a large picture is in memory only once while it is turned
    except UnspoolError:
        raise
    except Exception as error:  # Pillow's decoders may raise anything for a broken file
        raise DataError(f"{name} is damaged or truncated ({error})") from error
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def check_pillow() -> None:
    """Raise UnspoolError if Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise UnspoolError(
            "pictures are decoded with Pillow: pip install 'unspool[vision]'"
        ) from error


def _opened(content: bytes, name: str) -> "Image.Image":
    """Open a picture and read its header."""
    check_pillow()
    from PIL import Image, UnidentifiedImageError

    Image.init()
    known = [form for form in FORMATS if form in Image.OPEN]  # AVIF and WEBP may be missing
    try:
        with _no_warnings():
            image = Image.open(BytesIO(content), formats=known)
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not a picture, or none of {', '.join(known)}") from error
    except Image.DecompressionBombError as error:
        raise _too_large(name, MAX_PIXELS) from error
    most = MAX_PIXELS * _COST // _COSTS.get(image.format or "", _COST)
    if "progressive" in image.info:
        most //= 2  # its coefficients are kept until the whole file is read
    if max(image.width * image.height, _tile_size(image)) > most:
        raise _too_large(name, most)
    if 0 in image.size:
        raise DataError(f"{name} has no pixels: its size is {image.width}x{image.height}")
    return image


def _tile_size(image: "Image.Image") -> int:
    """Return the pixels of one tile of a TIFF, which may be far larger than the picture."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    return int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0))


def _rgb(image: "Image.Image", name: str) -> np.ndarray:
    """Convert to RGB in bands: only the result and one band of a large picture are in memory."""
    _check_mode(image, name)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _BAND):
        bottom = min(top + _BAND, image.height)
        pixels[top:bottom] = _band(image, (0, top, image.width, bottom))
    return pixels


def _check_mode(image: "Image.Image", name: str) -> None:
    if image.mode == "F" or (
        image.mode == "I" and image.format == "TIFF"
    ):  # otherwise I has 16 bits
        raise DataError(
            f"{name} has 32-bit pixels, whose white is unknown: save it in 8 or 16 bits"
        )
    if image.mode == "LAB":
        raise DataError(f"{name} has LAB colours, which are not supported: save it as RGB")


def _band(image: "Image.Image", box: tuple[int, int, int, int]) -> np.ndarray:
    from PIL import Image

    part = image.crop(box)
    if part.mode[0] == "I":
        return _grey(np.array(part), part.info.get("transparency"))
    if image.has_transparency_data:
        white = Image.new("RGBA", part.size, "white")
        part = Image.alpha_composite(white, part.convert("RGBA"))
    return np.array(part.convert("RGB"))


def _grey(values: np.ndarray, transparent: int | None) -> np.ndarray:
    """Scale 16 bits to three equal channels of 8; Pillow would clip. One value may mean white."""
    eight = (values.astype(np.uint32) * 255 + 0x7FFF) // 0xFFFF
    eight[values == transparent] = 255
    return np.repeat(eight.astype(np.uint8)[..., None], 3, axis=2)


def _orientation(image: "Image.Image") -> int:
    try:
        with _no_warnings():
            return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels are good, only the metadata is not
        return 1


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Silence Pillow's warnings of large pictures and odd EXIF. All threads share Python's filters,
    so only one thread at a time changes them, for the microseconds that a header takes.
    """
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _too_large(name: str, most: int) -> DataError:
    return DataError(f"{name} has more than {most:,} pixels: make it smaller")
