"""A language model's run: it writes, and is measured on texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ...data import Text, Vocabulary, load_vocabulary
from ...data.passages import passages_note
from ...decoding import round_weights
from ...errors import RunError
from ...models.language import LanguageModel
from ...training.task import Evaluation
from ..run import LoadedRun, noted, read_vocabulary
from .stream import stream_text
from .task import evaluate


@dataclass(frozen=True)
class Run(LoadedRun):
    """A language model's run directory, loaded."""

    what: ClassVar[str] = "a language model: use `unspool sample`"

    model: LanguageModel
    vocab: Vocabulary

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        return {"vocab": read_vocabulary(path, config)}

    def sample(self, prompt: str = "", **options: Any) -> str:
        """The prompt and its continuation; `options` are those of `stream`, but for `count`.

        print(run.sample("ROMEO:", max_new_tokens=400, temperature=0.8, seed=0))
        """
        return prompt + "".join(piece for (piece,) in self.stream(prompt, **options))

    def stream(self, prompt: str = "", **options: Any) -> Iterator[list[str]]:
        """Pieces of `count` continuations as they are made: see `decoding.stream_text`.

        `vocab.unknown_in([prompt])` has what of a prompt the run does not know.
        """
        return stream_text(self.model, self.vocab, prompt, **options)

    def evaluate(
        self, *sources: str, weights: str = "float32", window: int | None = None
    ) -> Evaluation:
        """Loss over all tokens of the sources; without any, over the run's held-out part.

        With `weights` "bfloat16" or "int8", the loss of the model that samples with these. With
        `window` the state is not carried, but new for every window of so many tokens. The
        details have notes if passages of the sources are in the training part too.
        """
        model = round_weights(self.model, weights)
        if sources:
            text = Text.read(*sources, vocab=self.vocab, val_fraction=0)
            shared = self.shared_with_training(
                open_text, lambda data: passages_note(data.train, text.train, "text")
            )
            found = evaluate(model, text.train, self.vocab, text.train_size, window)
            return noted(found, shared)
        text = self.own_data(open_text, "name a text to evaluate on")
        return evaluate(model, text.val, self.vocab, text.val_size, window)


def open_text(directory: Path) -> Text:
    """The text that a run keeps in `directory`, if its vocabulary is the run's."""
    text, run = Text.open(directory), directory.parent
    if load_vocabulary(run).fingerprint() != text.vocab.fingerprint():
        raise RunError(f"{run} is damaged: its vocabulary is not the one it was trained with")
    return text
