"""A trained run, loaded: its model, vocabulary and configuration."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax

from .data import Text, Vocabulary, load_vocabulary
from .decoding import stream_text
from .errors import RunError
from .models.language import LanguageModel
from .models.registry import build_model
from .tasks.language import evaluate
from .tasks.task import Evaluation
from .training.checkpoint import load_arrays
from .training.directory import MODEL, read_config

DATA = "data"


@dataclass(frozen=True)
class Run:
    """What `load` returns. `step` and `val_loss_nats` belong to the weights at hand."""

    path: Path
    config: dict[str, Any]
    model: LanguageModel
    vocab: Vocabulary
    step: int
    val_loss_nats: float | None

    def sample(self, prompt: str = "", **options: Any) -> str:
        """The prompt and its continuation; `options` are those of `stream`, but for `count`.

        print(run.sample("ROMEO:", max_new_tokens=400, temperature=0.8, seed=0))
        """
        return prompt + "".join(piece for (piece,) in self.stream(prompt, **options))

    def stream(self, prompt: str = "", **options: Any) -> Iterator[list[str]]:
        """Pieces of `count` continuations as they are made: see `decoding.stream_text`."""
        return stream_text(self.model, self.vocab, prompt, **options)

    def evaluate(self, *sources: str) -> Evaluation:
        """Loss over all tokens of the sources; without any, over the run's held-out part."""
        if sources:
            text = Text.read(*sources, vocab=self.vocab, val_fraction=0)
            return evaluate(self.model, text.train, self.vocab, text.train_size)
        if not (self.path / DATA).is_dir():
            raise RunError(f"{self.path} keeps no text of its own: name a text to evaluate on")
        text = Text.open(self.path / DATA)
        return evaluate(self.model, text.val, self.vocab, text.val_size)


def load(path: str | Path, model: LanguageModel | None = None) -> Run:
    """Load a run directory: best weights, vocabulary, configuration.

    `model` gives the structure where config.json cannot, for cells of your own. Raises
    RunError where the directory is no run, or is damaged, or has no weights yet.

        run = unspool.load("runs/shakespeare")
    """
    path = Path(path)
    config = read_config(path)
    vocab = load_vocabulary(path)
    if vocab.fingerprint() != config["task"].get("vocabulary"):
        raise RunError(f"{path} is damaged: its vocabulary is not the one it was trained with")
    if not (path / MODEL).exists():
        raise RunError(f"{path} has no weights yet: let training reach its first save")
    like = model or eqx.filter_eval_shape(build_model, config["model"])
    params, static = eqx.partition(like, _is_weight)
    params, facts = load_arrays(path / MODEL, params)
    return Run(
        path=path,
        config=config,
        model=eqx.combine(params, static),
        vocab=vocab,
        step=facts["step"],
        val_loss_nats=facts["val_loss_nats"],
    )


def _is_weight(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct) or eqx.is_inexact_array(leaf)
