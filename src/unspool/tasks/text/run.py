"""The run of a language model, which writes texts and is evaluated on texts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np

from ...data import Text, Vocabulary, load_vocabulary
from ...data.passages import passages_note
from ...data.subword import WordVocabulary
from ...decoding import LanguageStepper, round_weights
from ...decoding.stepper import text_stepper
from ...errors import RunError
from ...inspection import Spans
from ...kernels.sampling import WeightType
from ...models.language import LanguageModel
from ...options import Options, option
from ...training.task import Evaluation
from ..reading import Reading, text_of
from ..run import INSPECT_REMEDY, LoadedRun, noted, read_vocabulary
from .stream import stream_from
from .task import evaluate


@dataclass(frozen=True, kw_only=True)
class TextEvaluation(Options):
    """How to evaluate a language model."""

    weights: str = option(
        "float32", "evaluate with weights rounded to this type", choices=get_args(WeightType)
    )
    window: int | None = option(
        None, "start from a new state every N tokens; otherwise the state is carried",
        at_least=1, below=2**31,
    )  # fmt: skip


@dataclass(frozen=True)
class Run(LoadedRun):
    """A language model's run directory, loaded."""

    what: ClassVar[str] = "a language model"
    used_by: ClassVar[str] = "unspool sample"
    eval_options: ClassVar[type[Options]] = TextEvaluation

    model: LanguageModel
    vocab: Vocabulary

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        return {"vocab": read_vocabulary(path, config)}

    def sample(self, prompt: str = "", **options: Any) -> str:
        """Return the prompt and its continuation; `options` are those of `stream` except `count`.

        print(run.sample("ROMEO:", max_new_tokens=400, temperature=0.8, seed=0))
        """
        return prompt + "".join(piece for (piece,) in self.stream(prompt, **options))

    def stream(
        self,
        prompt: str = "",
        *,
        weights: str = "float32",
        keep_unknown: bool = False,
        **options: Any,
    ) -> Iterator[list[str]]:
        """Yield pieces of `count` continuations as they are made: see `stream_text`.

        `vocab.unknown_in([prompt])` returns what is unknown in a prompt.
        """
        return stream_from(self.stepper(weights, keep_unknown), self.vocab, prompt, **options)

    def stepper(self, weights: str = "float32", keep_unknown: bool = False) -> LanguageStepper:
        """Return the stepper of the run, made once, as it packs the weights for the native
        kernel.
        """
        return self._steppers(weights, keep_unknown)

    @cached_property
    def _steppers(self) -> Callable[[str, bool], LanguageStepper]:
        return cache(partial(text_stepper, self.model, self.vocab))

    @property
    def reads_bytes(self) -> bool:
        return self.vocab.kind == "byte"

    def reading(self, text: str, condition: str | None) -> Reading:
        """Read the tokens of the vocabulary."""
        shown = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return Reading(self.model, self.vocab, Spans(shown, *self.vocab.spans(text)), None)

    def held_out_text(self, most: int) -> str:
        """Return the first `most` characters of the end of the text."""
        text = self.own_data(open_text, INSPECT_REMEDY)
        if self.reads_bytes:
            return text_of(self.vocab.bytes_of(text.val[:most]))
        return self.vocab.decode(text.val[:most])[:most]

    def held_out_reading(self, reading: Reading, most: int) -> Reading:
        """Return words as they were split in training: a word that replaced another may have lost
        its space, so the text is not split again.
        """
        if not isinstance(self.vocab, WordVocabulary):
            return reading
        ids = self.own_data(open_text, INSPECT_REMEDY).val[:most].astype(np.int32)
        names = [self.vocab.token_text(int(token)) for token in ids]
        ends = np.cumsum([0, *map(len, names)])
        count = int(np.searchsorted(ends[1:], most, side="right"))
        spans = Spans("".join(names[:count]), ids[:count], ends[:count], ends[1 : count + 1] - 1)
        return reading._replace(spans=spans)

    def evaluate(self, *sources: str, **options: Any) -> Evaluation:
        """Measure the loss over all tokens of the sources; without any, over the held-out part.

        `options` are those of `TextEvaluation`. With `weights` "bfloat16" or "int8", this is the
        loss of the model that samples with these. With `window` the state is not carried, but
        starts new every `window` tokens. The details have notes if passages of the sources are in
        the training part too.
        """
        how = TextEvaluation(**options)
        model = round_weights(self.model, how.weights)
        if sources:
            text = Text.read(*sources, vocab=self.vocab, val_fraction=0)
            shared = self.shared_with_training(
                open_text, lambda data: passages_note(data.train, text.train, "text")
            )
            found = evaluate(model, text.train, self.vocab, text.train_size, how.window)
            return noted(found, shared)
        text = self.own_data(open_text, "name a text to evaluate on")
        return evaluate(model, text.val, self.vocab, text.val_size, how.window)


def open_text(directory: Path) -> Text:
    """Open the text that a run keeps in `directory`. Raises RunError if its vocabulary differs."""
    text, run = Text.open(directory), directory.parent
    if load_vocabulary(run).fingerprint() != text.vocab.fingerprint():
        raise RunError(f"{run} is damaged: its vocabulary is not the one it was trained with")
    return text
