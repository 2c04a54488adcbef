"""Resize pictures of any size to the square of pixels that a network takes."""

import numpy as np
from jaxtyping import UInt8

from ..errors import ConfigError, DataError

MARGIN = 32  # as EfficientNet-Lite's authors do: the middle 224 of 256 pixels


def fit(
    picture: UInt8[np.ndarray, "H W 3"], size: int = 224, margin: int = MARGIN
) -> UInt8[np.ndarray, "size size 3"]:
    """Scale the shorter side to size + margin, bicubic, and cut size x size from the middle.

    Margin 0 keeps all of a square picture. Raises DataError if the array is not an RGB picture,
    ConfigError if a size is invalid or Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError("resizing needs Pillow: pip install 'unspool[vision]'") from error
    if size < 1 or margin < 0:
        raise ConfigError(f"size must be at least 1 and margin at least 0, got {size} and {margin}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise DataError(
            f"a picture must be uint8 of shape (H, W, 3), got {picture.dtype} of {picture.shape}"
        )
    height, width, _ = picture.shape
    side = min(height, width) * size / (size + margin)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))
