"""From options to a language model in a run directory: what `unspool train text` does."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax

from ..data import Text, fingerprint_sources, load_vocabulary
from ..errors import ConfigError, RunError
from ..models.language import LanguageModel
from ..tasks.language import LanguageTask
from ..training import TrainingConfig, train
from ..training.config import option
from ..training.directory import check_free, locked, read_config
from ..training.reports import Report
from ..training.resume import MAY_CHANGE
from . import toml

DATA, OPTIONS = "data", "options.toml"


@dataclass(frozen=True, kw_only=True)
class TextOptions(TrainingConfig):
    """Every option of a text run; a preset fills in what is not given."""

    preset: str = option(
        "small", "defaults for readable text in seconds, good text in minutes, the best in half "
        "an hour", choices=("small", "medium", "large"),
    )  # fmt: skip
    cell: str = option("lstm", "the recurrent cell", choices=("lstm", "gru", "rnn"))
    layers: int = option(1, "number of recurrent layers", at_least=1)
    hidden: int = option(256, "units a layer", at_least=1)
    embedding: int | None = option(
        None, "size of token embeddings; none: ids index the input weights", at_least=1
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
        "most tokens in a word or BPE vocabulary (word 50000, bpe 4096)",
        at_least=2,
        below=2**31,  # the tokenizer counts in 32 bits
    )
    min_count: int | None = option(
        None,
        "rarer words become <unk> (2; bpe: merges must occur so often)",
        at_least=1,
        below=2**31,
    )
    val: str | None = option(None, "a held-out text; without it, the end of the text")
    val_fraction: float = option(0.1, "held-out share at the end of the text", above=0, below=1)
    batch: int = option(64, "lanes that the text is cut into", at_least=1)
    steps_per_chunk: int = option(64, "time steps of backpropagation", at_least=1)
    softmax: str = option(
        "auto", "training loss; auto samples above 10,000 tokens",
        choices=("auto", "full", "sampled"),
    )  # fmt: skip
    softmax_samples: int = option(1024, "tokens that a sampled softmax draws", at_least=1)
    sample_tokens: int = option(300, "length of the sample at each evaluation", at_least=0)


# Found on tiny Shakespeare; docs/lab-log.md has the figures.
PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "cell": "gru", "hidden": 256, "batch": 64, "steps_per_chunk": 32,
        "learning_rate": 8e-3, "dropout": 0.1, "max_steps": 2500, "eval_every": 250,
    },
    "medium": {
        "cell": "lstm", "hidden": 512, "batch": 64, "steps_per_chunk": 64,
        "learning_rate": 6e-3, "dropout": 0.4, "average": 0.999, "max_steps": 1500,
        "eval_every": 250,
    },
    "large": {
        "cell": "lstm", "hidden": 512, "batch": 64, "steps_per_chunk": 64,
        "learning_rate": 6e-3, "dropout": 0.5, "dropout_embedding": 0.02, "average": 0.999,
        "max_steps": 4000, "eval_every": 500,
    },
}  # fmt: skip


def merge_options(*layers: Mapping[str, Any]) -> TextOptions:
    """Preset, then each layer in turn; the last layer that names a preset chooses it."""
    given: dict[str, Any] = {}
    for layer in layers:
        TextOptions.check_keys(layer)
        given.update(layer)
    preset = given.get("preset", "small")
    limits = {"max_steps", "max_minutes"}
    base = PRESETS.get(preset, {})
    if limits & given.keys():  # a limit of the user's own replaces the preset's
        base = {key: value for key, value in base.items() if key not in limits}
    return TextOptions.merge(base, given)


def train_text(sources: tuple[str, ...], run: Path, options: TextOptions) -> Iterator[Report]:
    """Read the sources, draw a model and train it; yields reports."""
    check_free(run, (DATA, OPTIONS))
    with locked(run):
        text = Text.read(
            *sources,
            tokens=options.tokens,
            vocab_size=options.vocab_size,
            min_count=options.min_count,
            val=options.val,
            val_fraction=options.val_fraction,
            directory=run / DATA,
        )
        toml.write(run / OPTIONS, options.as_dict())
    return _train(text, run, options, resume=False)


def resume_text(
    sources: tuple[str, ...], run: Path, given: Mapping[str, Any]
) -> tuple[TextOptions, Iterator[Report]]:
    """Go on with a run; sources, where given, must be the text that it began with."""
    read_config(run)
    saved = TextOptions.merge(toml.read(run / OPTIONS, RunError))
    options = dataclasses.replace(saved, **given)
    for key in sorted(given.keys() - MAY_CHANGE):
        if getattr(options, key) != getattr(saved, key):
            was, now = getattr(saved, key), getattr(options, key)
            raise RunError(f"cannot resume {run}: {key} cannot change, from {was} to {now}")
    text = Text.open(run / DATA)
    if load_vocabulary(run).fingerprint() != text.vocab.fingerprint():
        raise RunError(f"{run} is damaged: its vocabulary is not the one it was trained with")
    if sources:
        found = fingerprint_sources(*sources, tokens=options.tokens, val=options.val)
        if found != text.sha256:
            raise RunError(f"cannot resume {run}: the text is not the one that the run began with")
    return options, _resumed(_train(text, run, options, resume=True), run, options)


def _resumed(reports: Iterator[Report], run: Path, options: TextOptions) -> Iterator[Report]:
    yield next(reports)  # the first report says that the run is ours and fits
    toml.write(run / OPTIONS, options.as_dict())
    yield from reports


def create_model(vocab_size: int, options: TextOptions) -> LanguageModel:
    """The model that the options describe."""
    return LanguageModel.create(
        vocab_size,
        cell=options.cell,
        hidden_size=options.hidden,
        num_layers=options.layers,
        embedding_size=options.embedding,
        tied=options.tied,
        layer_norm=options.layer_norm,
        dropout=options.dropout,
        dropout_embedding=options.dropout_embedding,
        weight_drop=options.weight_drop,
        seed=options.seed,
    )


def check_memory(vocab_size: int, options: TextOptions) -> None:
    """Raise ConfigError for a model that this machine's memory cannot hold in training.

    Otherwise the operating system may end the process without a word.
    """
    if jax.default_backend() != "cpu" or not hasattr(os, "sysconf"):
        return
    model = eqx.filter_eval_shape(create_model, vocab_size, options)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(model))
    # Weights, their gradients, Adam's two moments, and the average.
    needed = 4 * parameters * (4 + (options.average > 0))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise ConfigError(
            f"training {parameters:,} parameters needs {needed / 2**30:,.0f} GiB of memory, this "
            f"machine has {memory / 2**30:,.0f}: lower hidden or layers"
        )


def _train(text: Text, run: Path, options: TextOptions, *, resume: bool) -> Iterator[Report]:
    task = LanguageTask(
        text,
        batch=options.batch,
        steps_per_chunk=options.steps_per_chunk,
        softmax=options.softmax,
        softmax_samples=options.softmax_samples,
        sample_tokens=options.sample_tokens,
        seed=options.seed,
    )
    names = {field.name for field in dataclasses.fields(TrainingConfig)}
    training = {name: value for name, value in options.as_dict().items() if name in names}
    check_memory(len(text.vocab), options)
    model = create_model(len(text.vocab), options)
    return train(model, task, run=run, resume=resume, **training)
