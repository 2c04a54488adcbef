"""The recipe of `unspool train glimpse`: recurrent attention."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import ImageEncoder, LabelledData, form_of
from ...errors import DataError
from ...limits import MAX_GLIMPSES, MAX_PICTURE_SIDE
from ...models.glimpse import GlimpseClassifier
from ...options import option
from ..label.recipe import LabelledRecipe, LabellingOptions
from ..recipe import cell_option
from .task import GlimpseTask


@dataclass(frozen=True, kw_only=True)
class GlimpseOptions(LabellingOptions):
    """Every option of `unspool train glimpse`."""

    cell: str = cell_option("gru")
    dropout: float = option(0.0, "dropout on glimpses and on the last state", at_least=0, below=1)
    glimpses: int = option(6, "glimpses per image", at_least=1, below=MAX_GLIMPSES + 1)
    patch: int = option(4, "numbers per side of a glimpse", at_least=1, below=MAX_PICTURE_SIDE + 1)
    scales: int = option(
        2, "squares around a place, each twice as wide as the last", at_least=1, below=16
    )
    std: float = option(
        0.15, "standard deviation of places in training; 1 is half an image", above=0
    )
    glimpse_size: int = option(128, "units that encode what is seen, and where", at_least=1)
    copies: int = option(
        1, "how often a step repeats each image, with places of its own", at_least=1, below=1001
    )


# Found on parts of the training part of scikit-learn's digits; docs/lab-log.md has the figures.
DEFAULTS: dict[str, Any] = {
    "dropout": 0.5, "copies": 2, "learning_rate": 2e-3, "average": 0.1, "max_steps": 2000,
    "eval_every": 100,
}  # fmt: skip


class GlimpseRecipe(LabelledRecipe):
    """The recipe of `unspool train glimpse`."""

    name = "glimpse"
    sources = (
        "IMAGES",
        "IDX files such as MNIST's train-images-idx3-ubyte[.gz], with the labels beside "
        "them, an .npz with `images` (B, H, W) or (B, H, W, C) and `labels`, or sklearn:digits.",
    )
    missing = "a file of images must be named"
    help = """Train a classifier that sees images in a few glimpses, placed by the network itself.

    unspool train glimpse sklearn:digits --run runs/digits

    Where to look is learned by REINFORCE (Mnih et al. 2014)."""
    next_command = "label and plot with: unspool classify {run} IMAGES --plot glimpses.html"
    options, task_class, aligned = GlimpseOptions, GlimpseTask, False

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the same defaults for all images."""
        return DEFAULTS

    def model(self, data: LabelledData, options: GlimpseOptions) -> GlimpseClassifier:
        """Create a classifier of the data's images."""
        assert isinstance(data.encoder, ImageEncoder)
        taken = options.arguments(GlimpseClassifier.create)
        return GlimpseClassifier.create(len(data.labels), data.encoder.shape, **taken)

    def reading(self, options: Any) -> dict[str, Any]:
        """Images are read as rows: `patch` is the sensor's, and no option of reading."""
        return {k: v for k, v in super().reading(options).items() if k != "patch"}

    def _read(self, sources: tuple[str, ...], options: Any) -> LabelledData:
        for source in sources:
            if Path(source).exists() and form_of(source) != "images":
                raise DataError(
                    f"{source} has no images: name an IDX file, "
                    "an .npz with `images` and `labels`, or sklearn:digits"
                )
        return super()._read(sources, options)


LOOKER = GlimpseRecipe()
