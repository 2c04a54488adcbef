"""Images as probabilities of white: what DRAW is trained on, made of zeros and ones by draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..errors import DataError
from .draws import raw_draws
from .images import size_of


@dataclass(frozen=True)
class GreyEncoder:
    """Images (H, W, C) to sequences of rows (H, W C) of probabilities: a pixel / `white`."""

    form: ClassVar[str] = "images"
    kind: ClassVar[str] = "grey"

    shape: tuple[int, int, int]
    white: float

    @classmethod
    def build(cls, images: Sequence[np.ndarray]) -> "GreyEncoder":
        """White is 255 for bytes, 1 if no pixel is above it, and otherwise the brightest pixel."""
        most = max(float(image.max()) for image in images)
        brightest = 255.0 if images[0].dtype == np.uint8 else most
        return cls(images[0].shape, brightest if most > 1 else 1.0)

    @property
    def width(self) -> int:
        """Numbers a row."""
        return self.shape[1] * self.shape[2]

    def describe(self) -> dict[str, Any]:
        """JSON values: everything there is."""
        return {"kind": self.kind, "shape": list(self.shape), "white": self.white}

    def encode(self, image: np.ndarray) -> np.ndarray:
        """Probabilities, float32; DataError for another size, or a pixel that is none."""
        if image.shape != self.shape:
            raise DataError(
                f"images must be {size_of(self.shape)}, as in training, got {size_of(image.shape)}"
            )
        for pixel in (image.min(), image.max()):
            if not 0 <= pixel <= self.white:
                raise DataError(
                    f"pixels must be from 0 (black) to {self.white:g} (white, as in training), "
                    f"got {pixel:g}"
                )
        return (image.reshape(len(image), -1) / self.white).astype(np.float32)

    def save(self, directory: Path) -> None:
        """Nothing to write: `describe` says it all."""


def binarised(probabilities: np.ndarray, seed: int) -> np.ndarray:
    """Draw 0 or 1 for every number, 1 with this probability; the same for the same seed."""
    draws = raw_draws(seed)(probabilities.size).reshape(probabilities.shape)
    return ((draws >> np.uint64(11)) * 2.0**-53 < probabilities).astype(np.float32)
