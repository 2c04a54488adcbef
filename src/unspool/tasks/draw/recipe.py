"""From options to DRAW: `unspool train draw`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import (
    GreyEncoder,
    LabelledData,
    Rows,
    content_key,
    encode_rows,
    form_of,
    held_out,
    overlap_note,
    read_images,
    repeats_note,
)
from ...errors import ConfigError, DataError
from ...limits import MAX_GLIMPSES, MAX_PICTURE_SIDE, MAX_SIZE
from ...models.draw import ATTENTIONS, DrawModel
from ...options import option
from ...training import TrainingConfig
from ..recipe import Recipe
from .task import DrawTask


@dataclass(frozen=True, kw_only=True)
class DrawOptions(TrainingConfig):
    """Every option of `unspool train draw`."""

    glimpses: int = option(10, "steps that draw an image", at_least=1, below=MAX_GLIMPSES + 1)
    read: int = option(3, "filters a side of what is read", at_least=1, below=MAX_PICTURE_SIDE + 1)
    write: int = option(
        5, "filters a side of what is written", at_least=1, below=MAX_PICTURE_SIDE + 1
    )
    attention: str = option(
        "selective", "what is read and written; none: the whole image", choices=ATTENTIONS
    )
    conditional: bool = option(False, "draw for labels, which the images must have")
    latent: int = option(50, "numbers of a latent vector", at_least=1, below=MAX_SIZE + 1)
    embedding: int = option(32, "size of label embeddings", at_least=1, below=MAX_SIZE + 1)
    cell: str = option("lstm", "the recurrent cells", choices=("lstm", "gru", "rnn"))
    hidden: int = option(256, "units of each RNN", at_least=1, below=MAX_SIZE + 1)
    layer_norm: bool = option(False, "layer normalisation inside the cells")
    val: str | None = option(None, "a held-out file of the same form", is_file=True)
    val_fraction: float = option(
        0.1, "share of the images that is held out without --val", above=0, below=1
    )
    batch: int = option(64, "images a step", at_least=1)


DEFAULTS: dict[str, Any] = {
    "learning_rate": 2e-3, "average": 0.05, "max_steps": 3000, "eval_every": 250,
}  # fmt: skip


class DrawRecipe(Recipe):
    """`unspool train draw`."""

    name = "draw"
    sources = (
        "IMAGES",
        "An IDX file such as MNIST's train-images-idx3-ubyte[.gz], an .npz with `images` "
        "(B, H, W) or (B, H, W, C), or sklearn:digits; labels are needed for --conditional only.",
    )
    missing = "a file of images must be named"
    help = """Train a network that draws images one piece at a time.

    unspool train draw sklearn:digits --conditional --run runs/draw

    DRAW (Gregor et al. 2015): two RNNs, which read and write where they choose. Grey values are
    probabilities of white, by which images are made of zeros and ones."""
    next_command = "draw with: unspool sample {run} --count 16 --plot canvas.html"
    options = DrawOptions
    open = staticmethod(LabelledData.open)

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same for all images."""
        return DEFAULTS

    def read(self, sources: tuple[str, ...], directory: Path, options: Any) -> LabelledData:
        """One source, and the held-out file if one is named."""
        data = _read(sources, options)
        data.save(directory)
        return data

    def has_changed(self, sources: tuple[str, ...], data: LabelledData, options: Any) -> bool:
        """Whether the sources have another hash."""
        return _read(sources, options).fingerprint() != data.fingerprint()

    def task(self, data: LabelledData, options: DrawOptions) -> DrawTask:
        """Batches of images."""
        return DrawTask(data, **options.arguments(DrawTask))

    def model(self, data: LabelledData, options: DrawOptions) -> DrawModel:
        """A model of the data's images, and of its labels if there are any."""
        assert isinstance(data.encoder, GreyEncoder)
        taken = options.arguments(DrawModel.create)
        return DrawModel.create(data.encoder.shape, classes=len(data.labels), **taken)


def _read(sources: tuple[str, ...], options: DrawOptions) -> LabelledData:
    if len(sources) != 1:
        raise ConfigError(f"name one file to train on, got {len(sources)}")
    return read_drawable(sources[0], **options.arguments(read_drawable))


def read_drawable(
    source: str | Path,
    *,
    val: str | Path | None = None,
    val_fraction: float = 0.1,
    seed: int = 0,
    conditional: bool = False,
) -> LabelledData:
    """Images as probabilities, in a training part and a held-out part; without `conditional`
    labels are not read, and the data has none.

    Without `val` a share of every label, or of all images, is held out. Raises DataError naming
    file and row.
    """
    train = read_rows(source, conditional)
    if val is None:
        inputs = list(map(content_key, train.rows))
        numbers = held_out(train.labels, val_fraction, seed, inputs=inputs)
        shared = repeats_note(inputs, "images")
        train, held = map(train.take, numbers)
    else:
        held = read_rows(val, conditional)
    names = tuple(sorted(set(train.labels)))
    encoder = GreyEncoder.build(train.rows)
    parts = encode_rows(train, encoder, names), encode_rows(held, encoder, names)
    if val is not None:
        shared = overlap_note(parts[0].contents(), parts[1].contents(), "held-out images")
    notes = [f"{len(train.rows):,} images to train on, {len(held.rows):,} held out"]
    notes[0] += f", {len(names)} labels" if conditional else ""
    labels = names if conditional else ()
    return LabelledData(encoder, labels, *parts, aligned=False, notes=(*notes, *shared))


def read_rows(source: str | Path, conditional: bool) -> Rows:
    """The images of a source, and their labels, which are all "" without `conditional`."""
    if form_of(source) != "images" and Path(source).exists():
        raise DataError(
            f"{source} has no images: name an IDX file, an .npz with `images`, or sklearn:digits"
        )
    images, labels, where = read_images(source, labelled=conditional)
    if not images:
        raise DataError(f"{source} has no images")
    return Rows(images, labels if conditional else [""] * len(images), where)


DRAW = DrawRecipe()
