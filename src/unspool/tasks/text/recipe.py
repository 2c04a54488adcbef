"""The recipe of `unspool train text`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import Text, fingerprint_sources
from ...data.text import UNKNOWN
from ...limits import MAX_LAYERS, MAX_SAMPLE_TOKENS, MAX_SIZE, MAX_TOKENS
from ...models.language import LanguageModel
from ...options import option
from ...training import TrainingConfig
from ..recipe import Recipe, cell_option
from .run import open_text
from .task import LanguageTask


@dataclass(frozen=True, kw_only=True)
class TextOptions(TrainingConfig):
    """Every option of `unspool train text`; a preset fills in those that are not given."""

    preset: str = option(
        "small", "defaults for readable text in seconds, good text in minutes, the best in half "
        "an hour", choices=("small", "medium", "large"),
    )  # fmt: skip
    cell: str = cell_option("lstm")
    layers: int = option(1, "number of recurrent layers", at_least=1, below=MAX_LAYERS + 1)
    hidden: int = option(256, "units per layer", at_least=1, below=MAX_SIZE + 1)
    embedding: int | None = option(
        None,
        "size of token embeddings; none: ids index the input weights",
        at_least=1,
        below=MAX_SIZE + 1,
    )
    tied: bool = option(False, "one matrix for embedding and output (needs embedding = hidden)")
    layer_norm: bool = option(False, "layer normalisation inside the cell")
    dropout: float = option(
        0.0, "locked dropout on the outputs of every layer", at_least=0, below=1
    )
    dropout_embedding: float = option(0.0, "dropout of whole input tokens", at_least=0, below=1)
    weight_drop: float = option(0.0, "dropout on recurrent weights", at_least=0, below=1)
    tokens: str = option("char", "what a token is", choices=("char", "byte", "word", "bpe"))
    vocab_size: int | None = option(
        None,
        "maximum size of a word or BPE vocabulary (word 50000, bpe 4096)",
        at_least=2,
        below=MAX_TOKENS + 1,
    )
    min_count: int | None = option(
        None,
        "rarer words become <unk> (2; bpe: rarer pairs are not merged)",
        at_least=1,
        below=2**31,
    )
    unknown: str = option(
        "token", "characters not seen in training: read them as an unknown token, or refuse them",
        choices=UNKNOWN,
    )  # fmt: skip
    val: str | None = option(None, "a held-out text; default: the end of the text", is_file=True)
    val_fraction: float = option(0.1, "held-out share at the end of the text", above=0, below=1)
    batch: int = option(64, "lanes that the text is cut into", at_least=1)
    steps_per_chunk: int = option(64, "time steps of backpropagation", at_least=1)
    softmax: str = option(
        "auto", "training loss; auto samples above 10,000 tokens",
        choices=("auto", "full", "sampled"),
    )  # fmt: skip
    softmax_samples: int = option(1024, "tokens that a sampled softmax samples", at_least=1)
    sample_tokens: int = option(
        300, "length of the sample at each evaluation", at_least=0, below=MAX_SAMPLE_TOKENS + 1
    )


# Found on tiny Shakespeare; docs/lab-log.md has the figures.
PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "cell": "gru", "hidden": 256, "batch": 64, "steps_per_chunk": 32,
        "learning_rate": 8e-3, "dropout": 0.1, "max_steps": 2500, "eval_every": 250,
    },
    "medium": {
        "cell": "lstm", "hidden": 512, "batch": 64, "steps_per_chunk": 64,
        "learning_rate": 6e-3, "dropout": 0.4, "average": 0.1, "max_steps": 1500,
        "eval_every": 250,
    },
    "large": {
        "cell": "lstm", "hidden": 512, "batch": 64, "steps_per_chunk": 64,
        "learning_rate": 6e-3, "dropout": 0.5, "dropout_embedding": 0.02, "average": 0.1,
        "max_steps": 4000, "eval_every": 500,
    },
}  # fmt: skip


class TextRecipe(Recipe):
    """The recipe of `unspool train text`."""

    name, options = "text", TextOptions
    sources = (
        "TEXT", "Files, folders, - for standard input, or a corpus: stdlib, tiny-shakespeare."
    )  # fmt: skip
    missing = "a text must be named: a file, a folder, -, stdlib or tiny-shakespeare"
    help = """Train a language model on a text.

    unspool train text tiny-shakespeare --run runs/shakespeare"""
    next_command = 'write with: unspool sample {run} --prompt "..."'

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the defaults of the preset."""
        return PRESETS.get(given.get("preset", "small"), {})

    def read(self, sources: tuple[str, ...], directory: Path, options: TextOptions) -> Text:
        """The text as token ids."""
        return Text.read(*sources, directory=directory, **options.arguments(Text.read))

    open = staticmethod(open_text)

    def has_changed(self, sources: tuple[str, ...], data: Text, options: TextOptions) -> bool:
        """Whether the sources have another hash."""
        taken = options.arguments(fingerprint_sources)
        return fingerprint_sources(*sources, **taken) != data.sha256

    def task(self, data: Text, options: TextOptions) -> LanguageTask:
        """Truncated backpropagation through the text."""
        return LanguageTask(data, **options.arguments(LanguageTask))

    def model(self, data: Text, options: TextOptions) -> LanguageModel:
        """Create a language model over the text's vocabulary."""
        return create_model(len(data.vocab), options)


TEXT = TextRecipe()


def create_model(vocab_size: int, options: TextOptions) -> LanguageModel:
    """The model that the options describe."""
    return LanguageModel.create(vocab_size, **options.arguments(LanguageModel.create))


def merge_options(*layers: Mapping[str, Any]) -> TextOptions:
    """Merge a preset and then each layer in turn; the last layer that names a preset chooses it."""
    return TEXT.merge((), *layers)


train_text, resume_text = TEXT.start, TEXT.resume
