"""The run of a generator, which writes texts from a condition."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, ClassVar

import jax.numpy as jnp

from ...data import TextEncoder, one_line
from ...decoding.stepper import LanguageStepper, text_stepper
from ...errors import ConfigError
from ...models.generator import Generator
from ...training.task import Evaluation
from ..label.run import LabelledRun
from ..reading import Reading
from ..run import noted
from .decode import generate
from .task import evaluate_generator


@dataclass(frozen=True)
class GeneratorRun(LabelledRun):
    """A generator's run directory, loaded; its labels are the conditions."""

    what: ClassVar[str] = "a generator"
    used_by: ClassVar[str] = "unspool sample --condition"
    aligned: ClassVar[bool] = False

    model: Generator
    encoder: TextEncoder

    @property
    def conditions(self) -> tuple[str, ...]:
        return self.labels

    def reading(self, text: str, condition: str | None) -> Reading:
        """Read tokens from the state of the label `condition`."""
        label = jnp.array([self.labels.index(str(condition))])
        return super().reading(text, condition)._replace(state=self.model.initial_state(label))

    def sample(
        self, condition: str, prompt: str = "", *, keep_unknown: bool = False, **options: Any
    ) -> list[str]:
        """Sample texts for a condition; `options` are those of `decoding.stream` (count, seed,
        ...). The unknown token is never written, unless `keep_unknown`.

        run.sample("Italian", count=10, temperature=0.8)
        """
        if condition not in self.labels:
            known = ", ".join(self.labels)
            raise ConfigError(f"condition must be one of {known}, got {condition!r}")
        number, vocab = self.labels.index(condition), self.encoder.vocab
        return generate(self.model, self._steppers(keep_unknown), vocab, number, prompt, **options)

    @cached_property
    def _steppers(self) -> Callable[[bool], LanguageStepper]:
        """Return the stepper for a value of `keep_unknown`, made once, as it packs the weights."""
        make = partial(text_stepper, self.model.decoder, self.encoder.vocab)
        return cache(lambda keep_unknown: make(keep_unknown=keep_unknown))

    def evaluate(self, *sources: str) -> Evaluation:
        """Measure the loss per token, character and byte."""
        sequences, notes = self.read(sources, prepare=one_line)
        return noted(evaluate_generator(self.model, sequences, self.encoder.vocab), notes)
