"""From options to recurrent attention: `unspool train glimpse`."""

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
from .task import GlimpseTask


@dataclass(frozen=True, kw_only=True)
class GlimpseOptions(LabellingOptions):
    """Every option of `unspool train glimpse`."""

    cell: str = option("gru", "the recurrent cell", choices=("lstm", "gru", "rnn"))
    dropout: float = option(
        0.0, "dropout on what is seen and on the last state", at_least=0, below=1
    )
    glimpses: int = option(6, "how often an image is looked at", at_least=1, below=MAX_GLIMPSES + 1)
    patch: int = option(4, "numbers a side of what is seen", at_least=1, below=MAX_PICTURE_SIDE + 1)
    scales: int = option(2, "squares around a place, each twice as wide", at_least=1, below=16)
    std: float = option(0.15, "deviation of places, half an image is 1, in training", above=0)
    glimpse_size: int = option(128, "units for what is seen, and for where", at_least=1)
    copies: int = option(1, "how often each image is looked at in a step", at_least=1, below=1001)


# Found on parts of the training part of scikit-learn's digits; docs/lab-log.md has the figures.
DEFAULTS: dict[str, Any] = {
    "dropout": 0.5, "copies": 2, "learning_rate": 2e-3, "average": 0.1, "max_steps": 2000,
    "eval_every": 100,
}  # fmt: skip


class GlimpseRecipe(LabelledRecipe):
    """`unspool train glimpse`."""

    name = "glimpse"
    sources = (
        "IMAGES",
        "IDX files such as MNIST's train-images-idx3-ubyte[.gz], whose labels are found beside "
        "it, an .npz with `images` (B, H, W) or (B, H, W, C) and `labels`, or sklearn:digits.",
    )
    missing = "a file of images must be named"
    help = """Train a classifier that looks at images in a few glimpses, where it chooses to.

    unspool train glimpse sklearn:digits --run runs/digits

    What to look at is learned by REINFORCE (Mnih et al. 2014)."""
    next_command = "label and look with: unspool classify {run} IMAGES --plot glimpses.html"
    options, task_class, aligned = GlimpseOptions, GlimpseTask, False

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same for all images."""
        return DEFAULTS

    def model(self, data: LabelledData, options: GlimpseOptions) -> GlimpseClassifier:
        """A classifier of the data's images."""
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
                    f"{source} has no images to look at: name an IDX file, "
                    "an .npz with `images` and `labels`, or sklearn:digits"
                )
        return super()._read(sources, options)


LOOKER = GlimpseRecipe()
