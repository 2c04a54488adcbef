"""The recipe of `unspool train generate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...data import LabelledData
from ...models.generator import Generator
from ...models.language import LanguageModel
from ...options import option
from ..label.recipe import LabelledRecipe, SequenceOptions
from .task import GenerateTask


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(SequenceOptions):
    """Every option of `unspool train generate`."""

    tokens: str = option("char", "what a token is", choices=("char", "byte", "bpe"))


DEFAULTS: dict[str, Any] = {
    "hidden": 256, "dropout": 0.3, "batch": 64, "learning_rate": 4e-3, "average": 0.1,
    "max_steps": 1500, "eval_every": 150,
}  # fmt: skip


class GenerateRecipe(LabelledRecipe):
    """The recipe of `unspool train generate`."""

    help = """Train a generator of single-line texts from their labels.

    unspool train generate names/ --run runs/names"""
    name, next_command = "generate", "write with: unspool sample {run} --condition LABEL"
    options, task_class, aligned, lines = GenerateOptions, GenerateTask, False, True

    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the same defaults for all sources."""
        return DEFAULTS

    def model(self, data: LabelledData, options: GenerateOptions) -> Generator:
        """Create a generator of the data's tokens, conditioned on its labels."""
        taken = options.arguments(Generator.create, LanguageModel.create)
        return Generator.create(**{**taken, **data.model_options()})


GENERATOR = GenerateRecipe()
