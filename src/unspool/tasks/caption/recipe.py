"""The recipe of `unspool train caption`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from ...data import (
    FEW_REPEAT,
    CaptionData,
    held_out,
    overlap_note,
    read_captions,
    repeats_note,
    words_seen_once,
)
from ...errors import ConfigError, UnspoolError
from ...limits import MAX_LAYERS, MAX_PICTURE_SIDE, MAX_SIZE, MAX_TOKENS
from ...models.captioner import CNNS, WAYS, Captioner
from ...models.decoder import Decoder
from ...options import option
from ...training import TrainingConfig
from ...vision.efficientnet import PICTURE_SIZE, EfficientNetLite0
from ...vision.preparation import Preparation
from ...vision.small import SmallCNN
from ..recipe import Recipe, cell_option
from .gather import (
    Captioned,
    check_sources,
    gather,
    preparation_given,
    prepare_rows,
)
from .run import open_captions
from .task import CaptionTask

SMALL_SIZE = 48
TUNED = 0.05  # step size of a pretrained CNN's weights, relative to the others


@dataclass(frozen=True, kw_only=True)
class CaptionOptions(TrainingConfig):
    """Every option of `unspool train caption`."""

    images: str | None = option(None, "a folder or TAR of pictures", is_file=True)
    features: str | None = option(
        None, "an .npz of features computed elsewhere, instead of pictures", is_file=True
    )
    captions: str | None = option(
        None,
        "TSV `file<TAB>caption`, a table of image and caption, Flickr8k's token file, Karpathy's "
        "JSON or COCO's JSON",
        is_file=True,
    )
    split: str | None = option(None, "split of a JSON that has splits, such as train+restval")
    val_images: str | None = option(None, "held-out pictures (those of --images)", is_file=True)
    val_features: str | None = option(None, "held-out features (those of --features)", is_file=True)
    val_captions: str | None = option(None, "held-out captions (those of --captions)", is_file=True)
    val_split: str | None = option(None, "held-out split of a JSON that has splits")
    val_fraction: float = option(
        0.05, "share of the pictures to hold out if none are named", above=0, below=1
    )
    cnn: str = option(
        "efficientnet", "EfficientNet-Lite0 pretrained on ImageNet, or a small CNN from scratch",
        choices=tuple(CNNS),
    )  # fmt: skip
    fine_tune: bool = option(False, "fine-tune EfficientNet, with smaller steps")
    picture_size: int = option(
        SMALL_SIZE, "pixels per side for the small CNN", at_least=8, below=MAX_PICTURE_SIDE + 1
    )
    tokens: str = option("word", "what a token is", choices=("word", "bpe", "char"))
    vocab_size: int | None = option(
        None,
        "maximum vocabulary size (word 50000, bpe 6000)",
        at_least=2,
        below=MAX_TOKENS + 1,
    )
    min_count: int | None = option(
        None, "rarer words are unknown (4; bpe: rarer pairs are not merged)", at_least=1,
        below=2**31,
    )  # fmt: skip
    plain: bool = option(True, "captions in lower case without punctuation, as they are scored")
    way: str = option(
        "attention", "how the picture enters: at every step, as the first input, or by attention",
        choices=tuple(WAYS),
    )  # fmt: skip
    cell: str = cell_option("gru")
    hidden: int = option(384, "units per layer", at_least=1, below=MAX_SIZE + 1)
    layers: int = option(1, "number of recurrent layers", at_least=1, below=MAX_LAYERS + 1)
    embedding: int = option(256, "size of token embeddings", at_least=1, below=MAX_SIZE + 1)
    condition: int = option(
        256, "size that features are projected to", at_least=1, below=MAX_SIZE + 1
    )
    tied: bool = option(True, "use the embedding as output weights too")
    dropout: float = option(
        0.0, "locked dropout on embeddings, layer outputs and readout", at_least=0, below=1
    )
    dropout_features: float = option(0.0, "dropout on the features", at_least=0, below=1)
    label_smoothing: float = option(
        0.0, "share of each target spread over all tokens", at_least=0, below=1
    )
    doubly_stochastic: float = option(
        0.0, "weight of the penalty for attending to places unequally", at_least=0
    )
    reward_share: float = option(
        0.0, "share of max_steps, at the end, that train on samples and their "
        "CIDEr and BLEU (self-critical training)", at_least=0, below=1,
    )  # fmt: skip
    batch: int = option(64, "captions per step", at_least=1)


# Found on 500 pictures of Flickr8k's training part; docs/lab-log.md has the figures.
FROZEN: dict[str, Any] = {
    "dropout": 0.4, "dropout_features": 0.2, "label_smoothing": 0.1, "learning_rate": 2e-3,
    "average": 0.1, "warmup_steps": 200, "max_steps": 3600, "eval_every": 300, "min_count": 4,
    "reward_share": 1 / 6,
}  # fmt: skip
FINE: dict[str, Any] = FROZEN | {"batch": 32, "max_steps": 8000, "reward_share": 0.0}
SMALL: dict[str, Any] = {
    "way": "every", "learning_rate": 4e-3, "average": 0.1, "max_steps": 2000, "eval_every": 250,
    "hidden": 128, "embedding": 64, "condition": 128, "min_count": 1,
}  # fmt: skip


class CaptionRecipe(Recipe):
    """The recipe of `unspool train caption`."""

    name, options = "caption", CaptionOptions
    sources = (
        "IMAGES CAPTIONS",
        "A folder or TAR of pictures and a file of their captions; or --images and --captions.",
    )
    source_options = ("images", "features", "captions")
    missing = "pictures and captions must be named: --images and --captions"
    help = """Train a captioner, which describes pictures in sentences.

    unspool train caption --images photos/ --captions captions.tsv --run runs/captions

    EfficientNet-Lite0 encodes pictures, and its features are kept between runs; or a small CNN is
    trained with the captioner (--cnn small)."""
    next_command = "caption with: unspool caption {run} IMAGE"

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Choose by the CNN; characters if the captions' words hardly repeat, as in scripts without
        spaces. `min_count` counts words.
        """
        base = FINE if given.get("fine_tune") else FROZEN
        base = SMALL if given.get("cnn") == "small" else base
        if (
            "max_minutes" in given and "max_steps" not in given
        ):  # a share of an unknown number is not known
            base = {k: v for k, v in base.items() if k != "reward_share"}
        asks = {"tokens", "vocab_size", "min_count"} & given.keys()
        if not asks and len(sources) == 2 and _words_hardly_repeat(sources[1], given.get("split")):
            base, given = {**base, "tokens": "char"}, {"tokens": "char"}
        words = given.get("tokens", "word") == "word"
        return base if words else {k: v for k, v in base.items() if k != "min_count"}

    def named(self, paths: tuple[str, ...], given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return pictures (or features) and captions, named by options or as two arguments."""
        if given.get("images") is not None and given.get("features") is not None:
            raise ConfigError(
                "pictures are given twice", options={"images": "drop {}", "features": "drop {}"}
            )
        pictures = given.get("images") or given.get("features")
        files = tuple(name for name in (pictures, given.get("captions")) if name is not None)
        if paths and files:
            raise ConfigError(
                "pictures and captions are named both as arguments and as options", "drop one"
            )
        if paths or files:
            check_sources(paths or files)
        return paths or files

    def read(self, sources: tuple[str, ...], directory: Path, options: Any) -> CaptionData:
        """Gather both parts, prepare the pictures and encode the captions."""
        check_options(options)
        train, val = self._gather(sources, options)
        preparation = _preparation(train, options)
        directory.mkdir(parents=True, exist_ok=True)
        rows = [
            prepare_rows(part, preparation, directory / f"{name}.rows", self.track)
            for name, part in (("train", train), ("val", val))
        ]
        data = CaptionData.build(
            rows[0],
            train.captions,
            rows[1],
            val.captions,
            **options.arguments(CaptionData.build),
            names=(train.names, val.names),
            preparation=preparation.as_dict(),
            made_from=_made_from(train, val),
            keys=tuple(train.keys),
            notes=(*train.notes, *val.notes),
        )
        data.save(directory)
        return data

    open = staticmethod(open_captions)

    def has_changed(self, sources: tuple[str, ...], data: CaptionData, options: Any) -> bool:
        """Say whether pictures or captions have another hash."""
        return _made_from(*self._gather(sources, options)) != data.made_from

    def task(self, data: CaptionData, options: CaptionOptions) -> CaptionTask:
        """Bucketed batches of captions."""
        taken = options.arguments(CaptionTask)
        return CaptionTask(data, reward_after=_reward_after(options), **taken)

    def model(self, data: CaptionData, options: CaptionOptions) -> Captioner:
        """Create a captioner of the data's features or pixels."""
        cnn = options.cnn if data.preparation["is_trained"] else None
        tunes = cnn == "efficientnet"
        taken = options.arguments(Captioner.create, Decoder.create)
        model = Captioner.create(
            len(data.sentences.vocab),
            _feature_size(data, cnn, options),
            **{**taken, "cnn": cnn, "cnn_scale": TUNED if tunes else 1.0},
        )
        return model.with_cnn(EfficientNetLite0.pretrained().headless()) if tunes else model

    def _gather(self, sources: tuple[str, ...], options: Any) -> tuple[Captioned, Captioned]:
        pictures, captions = check_sources(sources)
        how = {"plain": options.plain, "track": self.track}
        train = gather(pictures, captions, options.split, **how)
        others = (
            options.val_images or options.val_features, options.val_captions, options.val_split
        )  # fmt: skip
        if others == (None, None, None):
            parts = held_out(
                [""] * len(train.keys), options.val_fraction, options.seed,
                inputs=train.keys, option="val_images",
            )  # fmt: skip
            notes = (*train.notes, *repeats_note(train.keys, "pictures"))
            kept, left = (train.take(numbers) for numbers in parts)
            return kept._replace(notes=notes), left._replace(notes=())
        held = gather(Path(others[0] or pictures), Path(others[1] or captions), others[2], **how)
        shared = overlap_note(train.keys, held.keys, "held-out pictures")
        return train, held._replace(notes=(*held.notes, *shared))


def _words_hardly_repeat(captions: str, split: str | None) -> bool:
    try:
        texts = chain.from_iterable(read_captions(captions, split).values())
        return words_seen_once(texts) > FEW_REPEAT
    except UnspoolError:  # reading them will raise the same error with more detail
        return False


def _reward_after(options: CaptionOptions) -> int | None:
    """Return the number of the first step trained on rewards; None if there is none."""
    if not options.reward_share:
        return None
    assert options.steps is not None  # see check_options
    return options.steps - round(options.reward_share * options.steps)


def check_options(options: CaptionOptions) -> None:
    """Raise ConfigError if options exclude each other."""
    if options.reward_share and options.steps is None:
        raise ConfigError(
            "reward_share is a share of max_steps, which is unknown if only minutes limit the run",
            options={"max_steps": "give {}", "reward_share": "drop {}"},
        )
    if options.fine_tune and options.cnn == "small":
        raise ConfigError("the small CNN is always trained", options={"fine_tune": "drop {}"})
    if options.doubly_stochastic and options.way != "attention":
        raise ConfigError(
            f"doubly_stochastic needs a model with attention, got way {options.way!r}",
            options={"way=attention": "give {}"},
        )


def _preparation(train: Captioned, options: CaptionOptions) -> Preparation:
    if train.given is not None:
        if options.fine_tune or options.cnn != "efficientnet":
            raise ConfigError(
                "features come without their CNN",
                options={"fine_tune": "drop {}", "cnn": "drop {}"},
            )
        return preparation_given(train.given)
    if options.cnn == "small":
        return Preparation("small", size=options.picture_size, is_trained=True)
    if options.fine_tune:
        return Preparation("efficientnet", size=PICTURE_SIZE, is_trained=True)
    return Preparation.frozen(is_pooled=options.way != "attention")


def _feature_size(data: CaptionData, cnn: str | None, options: CaptionOptions) -> int | None:
    """Flatten the small CNN's grid to one vector: its mean would lose where things are."""
    if cnn is None:
        return data.train.features.shape[-1]
    if cnn != "small" or options.way == "attention":
        return None
    shape = (1, options.picture_size, options.picture_size, 3)
    grid = jax.eval_shape(lambda x: SmallCNN.create().features(x, "grid"), jnp.zeros(shape))
    return math.prod(grid.shape)


def _made_from(train: Captioned, val: Captioned) -> str:
    return f"{train.fingerprint()} {val.fingerprint()}"


CAPTIONER = CaptionRecipe()
