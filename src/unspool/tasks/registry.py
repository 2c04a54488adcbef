"""The kinds of runs: one row each, from which `load`, `unspool train` and the studio follow."""

from pathlib import Path
from typing import Any, NamedTuple

from ..models.captioner import Captioner
from ..models.classifier import Classifier
from ..models.draw import DrawModel
from ..models.generator import Generator
from ..models.glimpse import GlimpseClassifier
from ..models.language import LanguageModel
from ..models.tagger import Tagger
from ..models.translator import Translator
from ..training.directory import read_config
from .caption.recipe import CAPTIONER
from .caption.run import CaptionerRun
from .draw.recipe import DRAW
from .draw.run import DrawRun
from .generate.recipe import GENERATOR
from .generate.run import GeneratorRun
from .glimpse.recipe import LOOKER
from .glimpse.run import GlimpseRun
from .label.recipe import CLASSIFIER, TAGGER
from .label.run import ClassifierRun, TaggerRun
from .recipe import Recipe, Track, untracked
from .run import LoadedRun
from .text.recipe import TEXT
from .text.run import Run
from .translate.recipe import TRANSLATOR
from .translate.run import TranslatorRun


class Kind(NamedTuple):
    """A kind of run: its model, how it is trained, and the class that loads it.

    `model` is a class with `kind`, `create` and `describe`; `views` are those of the studio, of
    which the first opens with the run.
    """

    model: Any
    recipe: Recipe
    run: type[LoadedRun]
    views: tuple[str, ...] = ()


ROWS = (
    Kind(LanguageModel, TEXT, Run, views=("play", "cells", "gradients")),
    Kind(Classifier, CLASSIFIER, ClassifierRun, views=("cells",)),
    Kind(Tagger, TAGGER, TaggerRun, views=("cells",)),
    Kind(Generator, GENERATOR, GeneratorRun, views=("cells",)),
    Kind(GlimpseClassifier, LOOKER, GlimpseRun),
    Kind(DrawModel, DRAW, DrawRun),
    Kind(Translator, TRANSLATOR, TranslatorRun, views=("translation", "cells")),
    Kind(Captioner, CAPTIONER, CaptionerRun, views=("captions",)),
)
KINDS = {row.model.kind: row for row in ROWS}


def kind_of(config: dict[str, Any]) -> Kind:
    """Find the row for a run's config.json; a custom model is taken for a language model."""
    return KINDS.get(config["model"].get("kind"), KINDS[LanguageModel.kind])


def load(path: str | Path, model: Any = None, *, track: Track = untracked) -> Any:
    """Load a run directory: best weights, vocabulary, configuration.

    Returns a `Run` for a language model, a `ClassifierRun`, `GlimpseRun`, `DrawRun`, `TaggerRun`,
    `GeneratorRun`, `TranslatorRun` or `CaptionerRun` for these. `model` gives the structure if
    config.json cannot, for cells of your own. `track` shows how far a long evaluation is. Raises
    RunError if the directory is not a run, is damaged, or has no weights yet.

        run = unspool.load("runs/shakespeare")
    """
    path = Path(path)
    config = read_config(path)
    kind = kind_of(config)
    return kind.run.load(path, config, kind.model, model, track)
