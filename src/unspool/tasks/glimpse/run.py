"""Runs of recurrent attention, which classify images and show their glimpses."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ... import files
from ...data import ImageEncoder
from ...errors import ConfigError, DataError
from ...models.glimpse import GlimpseClassifier, glimpse
from ..label.run import ClassifierRun
from .plot import GlimpseFigure, render

SUFFIXES = (".svg", ".html")


@dataclass(frozen=True)
class GlimpseRun(ClassifierRun):
    """A loaded run of `unspool train glimpse`: a classifier that can show its glimpses."""

    what: ClassVar[str] = "a classifier by glimpses"
    used_by: ClassVar[str] = "unspool classify"

    model: GlimpseClassifier
    encoder: ImageEncoder

    def look(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return the places (y, x) of all glimpses, (B, T, 2), from -1 (upper, left edge) to 1."""
        encoded = jnp.stack([self.encoder.encode(image) for image in images])
        return np.asarray(eqx.filter_jit(self.model.look)(encoded).locations).swapaxes(0, 1)

    def plot(
        self, path: str | Path, images: Sequence[np.ndarray], labels: Sequence[str] = ()
    ) -> None:
        """Draw every image with its glimpses and the predicted label (and the true one, if given).

        `path` ends in .svg or .html. The file is self-contained. Raises ConfigError if the path has
        another suffix.
        """
        path = Path(path)
        if path.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"plot must be a file that ends in .svg or .html, got {path}")
        if len(images) == 0:
            raise DataError("there are no images to plot")
        found = [next(iter(p.items())) for p in self.classify(images)]
        figures = [
            GlimpseFigure(
                image, places, self._seen(image, places), *found[i], labels[i] if labels else None
            )
            for i, (image, places) in enumerate(zip(images, self.look(images), strict=True))
        ]
        files.write_bytes(path, render(figures, as_html=path.suffix.lower() == ".html").encode())

    def _seen(self, image: np.ndarray, places: np.ndarray) -> np.ndarray:
        repeated = jnp.broadcast_to(image.astype(np.float32), (len(places), *image.shape))
        see = eqx.filter_jit(glimpse)  # one program instead of one per operation
        return np.asarray(see(repeated, jnp.asarray(places), self.model.patch, self.model.scales))
