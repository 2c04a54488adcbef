"""The recipe of `unspool train translate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import PairData
from ...errors import ConfigError
from ...limits import MAX_LAYERS, MAX_SIZE, MAX_TOKENS
from ...models.decoder import ATTENTIONS
from ...models.translator import Translator
from ...options import option
from ...training import TrainingConfig
from ..recipe import Recipe, cell_option
from .task import TranslateTask


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(TrainingConfig):
    """Every option of `unspool train translate`."""

    source: str | None = option(None, "sentences to translate from, one per line", is_file=True)
    target: str | None = option(None, "their translations, line by line", is_file=True)
    val_source: str | None = option(
        None, "held-out sentences (or a TSV of both languages)", is_file=True
    )
    val_target: str | None = option(None, "their translations", is_file=True)
    val_fraction: float = option(
        0.05, "share of the pairs to hold out without --val-source", above=0, below=1
    )
    tokens: str = option("bpe", "what a token is", choices=("bpe", "word", "char"))
    shared: bool = option(True, "one vocabulary and embedding for both languages")
    vocab_size: int | None = option(
        None, "maximum vocabulary size (bpe 6000, word 50000)", at_least=2, below=MAX_TOKENS + 1
    )
    min_count: int | None = option(
        None, "rarer words are unknown (2; bpe: rarer pairs are not merged)", at_least=1,
        below=2**31,
    )  # fmt: skip
    max_length: int = option(100, "training pairs with more tokens are left out", at_least=2)
    cell: str = cell_option("gru")
    hidden: int = option(
        256, "units per layer, and per direction of the encoder", at_least=1, below=MAX_SIZE + 1
    )
    layers: int = option(
        1, "layers of the encoder and of the decoder", at_least=1, below=MAX_LAYERS + 1
    )
    embedding: int = option(256, "size of token embeddings", at_least=1, below=MAX_SIZE + 1)
    attention: str = option(
        "luong", "attention to the sentence; none: one vector is all the decoder gets",
        choices=ATTENTIONS,
    )  # fmt: skip
    bidirectional: bool = option(True, "the encoder reads in both directions")
    reverse_source: bool = option(False, "the encoder starts at the end of the sentence")
    tied: bool = option(True, "use the target embedding as output weights too")
    dropout: float = option(
        0.0, "locked dropout on embeddings, layer outputs and readout", at_least=0, below=1
    )
    label_smoothing: float = option(
        0.0, "share of each target spread over all tokens", at_least=0, below=1
    )
    batch: int = option(64, "sentence pairs per step", at_least=1)


# Found on Multi30k's validation part; docs/lab-log.md has the figures.
DEFAULTS: dict[str, Any] = {
    "dropout": 0.4, "label_smoothing": 0.1, "learning_rate": 2e-3, "average": 0.1,
    "warmup_steps": 200, "max_steps": 8000, "eval_every": 500,
}  # fmt: skip


class TranslateRecipe(Recipe):
    """The recipe of `unspool train translate`."""

    name, options = "translate", TranslateOptions
    sources = (
        "PAIRS",
        "A .tsv of lines SOURCE<TAB>TARGET; or two aligned files, named with --source and "
        "--target.",
    )
    source_options = ("source", "target")
    missing = "sentence pairs must be named: --source and --target, or one TSV"
    help = """Train a translator of sentences: an encoder and a decoder.

    unspool train translate --source train.en --target train.de --run runs/en-de"""
    next_command = 'translate with: unspool translate {run} "..."'

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the same defaults for all sources."""
        return DEFAULTS

    def named(self, paths: tuple[str, ...], given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return a TSV named as an argument, or --source and --target."""
        files = [given[key] for key in ("source", "target") if given.get(key) is not None]
        if paths and files:
            raise ConfigError(
                "sentences are named both as an argument and as options", "drop one of them"
            )
        if len(files) == 1:
            one, other = (
                ("target", "source") if given.get("source") is None else ("source", "target")
            )
            raise ConfigError(
                f"{one} needs the other language", options={other: "name its file with {}"}
            )
        return paths or tuple(files)

    def read(self, sources: tuple[str, ...], directory: Path, options: Any) -> PairData:
        """Read two files, or one TSV."""
        data = self._read(sources, options)
        data.save(directory)
        return data

    open = staticmethod(PairData.open)

    def has_changed(self, sources: tuple[str, ...], data: PairData, options: Any) -> bool:
        """Say whether the sources have another hash."""
        return self._read(sources, options).fingerprint() != data.fingerprint()

    def task(self, data: PairData, options: TranslateOptions) -> TranslateTask:
        """Bucketed batches of pairs."""
        return TranslateTask(data, **options.arguments(TranslateTask))

    def model(self, data: PairData, options: TranslateOptions) -> Translator:
        """Create a translator between the data's languages."""
        return Translator.create(
            len(data.target.vocab),
            None if data.shared else len(data.source.vocab),
            **options.arguments(Translator.create),
        )

    def _read(self, sources: tuple[str, ...], options: TranslateOptions) -> PairData:
        if len(sources) > 2:
            raise ConfigError(
                f"sentences must be in one TSV or in two files, got {len(sources)} files"
            )
        return PairData.read(*sources, **options.arguments(PairData.read))


TRANSLATOR = TranslateRecipe()
