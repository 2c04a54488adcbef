"""The recipes of `unspool train classify` and `unspool train tag`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import (
    FEW_REPEAT,
    LAYOUTS,
    LabelledData,
    TextEncoder,
    form_of,
    read_labelled,
    words_seen_once,
)
from ...errors import ConfigError, DataError
from ...limits import MAX_LAYERS, MAX_SIZE, MAX_TOKENS
from ...models.classifier import POOLINGS, Classifier
from ...models.reader import Reader
from ...models.tagger import Tagger
from ...options import option
from ...training import TrainingConfig
from ..recipe import Recipe, cell_option
from .balance import CLASS_WEIGHTS
from .task import ClassifyTask, LabelledTask, TagTask


@dataclass(frozen=True, kw_only=True)
class LabelledOptions(TrainingConfig):
    """Options shared by all labelled tasks. Defaults depend on the input: see `defaults`."""

    cell: str = cell_option("lstm")
    hidden: int = option(128, "units per layer and direction", at_least=1, below=MAX_SIZE + 1)
    layer_norm: bool = option(False, "layer normalisation inside the cell")
    dropout: float = option(
        0.0, "locked dropout on embeddings and layer outputs", at_least=0, below=1
    )
    val: str | None = option(None, "a held-out file of the same format", is_file=True)
    val_fraction: float = option(
        0.1, "share of every label to hold out without --val", above=0, below=1
    )
    batch: int = option(32, "sequences per step", at_least=1)


@dataclass(frozen=True, kw_only=True)
class SequenceOptions(LabelledOptions):
    """Options shared by classifiers, taggers and generators."""

    layers: int = option(1, "number of recurrent layers", at_least=1, below=MAX_LAYERS + 1)
    vocab_size: int | None = option(
        None, "maximum vocabulary size", at_least=2, below=MAX_TOKENS + 1
    )
    min_count: int | None = option(None, "rarer words are unknown (2)", at_least=1, below=2**31)


@dataclass(frozen=True, kw_only=True)
class LabellingOptions(LabelledOptions):
    """Options shared by all tasks that predict labels."""

    best_by: str | None = option(
        None, "held-out metric that chooses the weights to keep (accuracy)",
        choices=ClassifyTask.criteria,
    )  # fmt: skip
    class_weights: str = option(
        "none", "weights of labels in training; balanced: every label has the same total weight",
        choices=CLASS_WEIGHTS,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ReaderOptions(SequenceOptions, LabellingOptions):
    """Options shared by classifiers and taggers."""

    bidirectional: bool = option(True, "read in both directions; otherwise only forwards")
    embedding: int = option(128, "size of token embeddings", at_least=1, below=MAX_SIZE + 1)
    dropout_tokens: float = option(0.0, "dropout of whole input steps", at_least=0, below=1)
    affixes: int = option(
        0, "hash buckets for prefixes, suffixes and shapes of words; 0: none", at_least=0,
        below=2**24,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions(ReaderOptions):
    """Every option of `unspool train classify`."""

    tokens: str = option(
        "word", "what a token is; default: char if most words occur only once, else word",
        choices=("word", "char", "byte", "bpe"),
    )  # fmt: skip
    max_length: int = option(1000, "texts are cut after this many tokens", at_least=1)
    pooling: str = option("max", "how all steps become one vector", choices=POOLINGS)
    image: str = option("rows", "what a step of an image is", choices=LAYOUTS)
    patch: int = option(4, "pixels per side of a patch", at_least=1)


@dataclass(frozen=True, kw_only=True)
class TagOptions(ReaderOptions):
    """Every option of `unspool train tag`."""

    best_by: str | None = option(
        None, "held-out metric that chooses the weights to keep (accuracy; for BIO tags "
        "span_f1)", choices=("span_f1", *TagTask.criteria),
    )  # fmt: skip


# Found on development sets; docs/lab-log.md has the figures.
CLASSIFY: dict[str, dict[str, Any]] = {
    "word": {
        "cell": "gru", "affixes": 8192, "dropout": 0.5, "dropout_tokens": 0.1,
        "learning_rate": 2e-3, "average": 0.1, "weight_decay": 0.01, "max_steps": 2000,
        "eval_every": 100,
    },
    "char": {
        "cell": "gru", "hidden": 192, "layers": 2, "embedding": 64, "dropout": 0.3,
        "average": 0.1, "learning_rate": 3e-3, "batch": 64, "max_steps": 3000,
        "eval_every": 250,
    },
    "series": {
        "cell": "gru", "hidden": 96, "dropout": 0.3, "average": 0.1, "learning_rate": 3e-3,
        "max_steps": 500, "eval_every": 25, "pooling": "max",
    },
}  # fmt: skip
CLASSIFY["images"] = {
    **CLASSIFY["series"], "hidden": 128, "dropout_tokens": 0.2, "average": 0.1,
    "max_steps": 2000, "eval_every": 100,
}  # fmt: skip
CLASSIFY["byte"] = CLASSIFY["char"]
CLASSIFY["bpe"] = {**CLASSIFY["word"], "affixes": 0}

TAG: dict[str, dict[str, Any]] = {
    "word": {
        "affixes": 16384, "dropout": 0.4, "dropout_tokens": 0.05, "learning_rate": 3e-3,
        "average": 0.1, "max_steps": 3000, "eval_every": 250,
    },
    "series": {k: v for k, v in CLASSIFY["series"].items() if k != "pooling"},
}  # fmt: skip


class LabelledRecipe(Recipe):
    """Shared by the recipes, which differ in the task, the model and the defaults."""

    sources = (
        "TRAIN",
        "A .tsv or .csv with columns label and text, lines `LABEL text`, a folder with a folder "
        "or a LABEL.txt for each class, series of numbers: .ts, .npz, .csv, or images: see "
        "`unspool train glimpse --help`.",
    )
    missing = "a file or folder of labelled sequences must be named"
    aligned: bool
    lines: bool = False
    task_class: type[LabelledTask]
    by_input: dict[str, dict[str, Any]]

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the defaults for the kind of tokens, for series of numbers, or for images."""
        form = form_of(sources[0]) if sources else "text"
        return self.by_input.get(given.get("tokens", "word") if form == "text" else form, {})

    def read(self, sources: tuple[str, ...], directory: Path, options: Any) -> LabelledData:
        """Read one source, and the held-out file if one is named."""
        data = self._read(sources, options)
        data.save(directory)
        return data

    open = staticmethod(LabelledData.open)

    def has_changed(self, sources: tuple[str, ...], data: LabelledData, options: Any) -> bool:
        """Say whether the sources have another hash."""
        return self._read(sources, options).fingerprint() != data.fingerprint()

    def task(self, data: LabelledData, options: Any) -> LabelledTask:
        """Bucketed batches."""
        return self.task_class(data, **options.arguments(self.task_class))

    def reading(self, options: Any) -> dict[str, Any]:
        """The options of `LabelledData.read`."""
        return options.arguments(LabelledData.read, TextEncoder.build)

    def _read(self, sources: tuple[str, ...], options: Any) -> LabelledData:
        if len(sources) != 1:
            raise ConfigError(f"name one file or folder to train on, got {len(sources)}")
        how = {**self.reading(options), "aligned": self.aligned, "lines": self.lines}
        return LabelledData.read(sources[0], **how)


class ClassifyRecipe(LabelledRecipe):
    """The recipe of `unspool train classify`."""

    name, next_command = "classify", 'label with: unspool classify {run} "..."'
    help = """Train a classifier of texts, of series of numbers, or of images read as sequences.

    unspool train classify train.tsv --val dev.tsv --run runs/sentiment

    Defaults depend on the tokens (word, char, ...) or on reading series or images."""
    options, task_class, aligned, by_input = ClassifyOptions, ClassifyTask, False, CLASSIFY

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Choose by the input; characters if words hardly repeat, as in scripts without spaces."""
        asks = {"tokens", "vocab_size", "min_count", "affixes"} & given.keys()
        if not asks and sources and _words_hardly_repeat(sources[0]):
            return {**self.by_input["char"], "tokens": "char"}
        return super().defaults(sources, given)

    def model(self, data: LabelledData, options: ClassifyOptions) -> Classifier:
        """A classifier of the data's labels."""
        taken = options.arguments(Classifier.create, Reader.create)
        return Classifier.create(**{**taken, **data.model_options()})


class TagRecipe(LabelledRecipe):
    """The recipe of `unspool train tag`."""

    name, next_command = "tag", 'tag with: unspool tag {run} "..."'
    sources = (
        "TRAIN",
        "A .conllu file, lines `WORD TAG` with an empty line after each sentence, or series of "
        "numbers with a label for each step: .npz, .csv.",
    )
    help = """Train a tagger: a label for every word, or for every step of series of numbers.

    unspool train tag train.conllu --val dev.conllu --run runs/tagger"""
    options, task_class, aligned, by_input = TagOptions, TagTask, True, TAG

    def model(self, data: LabelledData, options: TagOptions) -> Tagger:
        """A tagger of the data's tags."""
        taken = options.arguments(Tagger.create, Reader.create)
        return Tagger.create(**{**taken, **data.model_options()})


def _words_hardly_repeat(source: str) -> bool:
    try:
        if form_of(source) != "text":
            return False
        return words_seen_once(read_labelled(source).rows) > FEW_REPEAT
    except DataError:  # reading it will raise the same error with more detail
        return False


CLASSIFIER, TAGGER = ClassifyRecipe(), TagRecipe()
