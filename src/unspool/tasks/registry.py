"""A trained run, loaded: the right class for each kind of model."""

from pathlib import Path
from typing import Any

from ..training.directory import read_config
from .caption.run import CaptionerRun
from .generate.run import GeneratorRun
from .glimpse.run import GlimpseRun
from .label.run import ClassifierRun, LabelledRun, TaggerRun
from .run import LoadedRun, require
from .text.run import Run
from .translate.run import TranslatorRun

__all__ = [
    "CaptionerRun",
    "ClassifierRun",
    "GeneratorRun",
    "GlimpseRun",
    "LabelledRun",
    "LoadedRun",
    "Run",
    "TaggerRun",
    "TranslatorRun",
    "load",
    "require",
]

KINDS: dict[str, type[LoadedRun]] = {
    "classifier": ClassifierRun,
    "tagger": TaggerRun,
    "generator": GeneratorRun,
    "glimpse": GlimpseRun,
    "translator": TranslatorRun,
    "captioner": CaptionerRun,
}


def load(path: str | Path, model: Any = None) -> Any:
    """Load a run directory: best weights, vocabulary, configuration.

    Returns a `Run` for a language model, a `ClassifierRun`, `GlimpseRun`, `TaggerRun`,
    `GeneratorRun`, `TranslatorRun` or `CaptionerRun` for these. `model` gives the structure where
    config.json cannot, for cells of your own. Raises RunError where the directory is no run, or is
    damaged, or has no weights yet.

        run = unspool.load("runs/shakespeare")
    """
    path = Path(path)
    config = read_config(path)
    kind = KINDS.get(config["model"].get("kind"), Run)
    return kind.load(path, config, model)
