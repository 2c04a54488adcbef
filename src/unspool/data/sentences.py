"""Sentences as token ids that end with END."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..errors import DataError
from .label_files import BOUNDARY
from .sequences import Sequences
from .vocab import CharVocabulary, Vocabulary
from .vocabularies import build_vocabulary, check_options
from .words import one_spaced

_DEFAULT_SIZE = {"bpe": 6000, "word": 50_000}


@dataclass(frozen=True)
class Sentences:
    """One language: converts sentences to ids and back.

    A sentence loses the white space around it, and runs of white space inside become one space.
    Words begin with their space, the first too, so that a word is the same token wherever it is.
    END, which is also START, is the line break, which no sentence contains.
    """

    vocab: Vocabulary

    @classmethod
    def build(
        cls, texts: list[str], tokens: str, vocab_size: int | None, min_count: int | None
    ) -> Self:
        """Count the tokens of some sentences. Raises ConfigError if an option is invalid."""
        check_options(tokens, vocab_size, min_count)
        vocab: Vocabulary
        if tokens == "char":
            vocab = CharVocabulary.build([BOUNDARY, *map(one_spaced, texts)], unknown=True)
        else:
            lines = (f" {one_spaced(text)}{BOUNDARY}" for text in texts)
            size = vocab_size or _DEFAULT_SIZE.get(tokens)
            vocab = build_vocabulary(tokens, lines, vocab_size=size, min_count=min_count)
        built = cls(vocab)
        if vocab.decode([built.end]) != BOUNDARY:
            raise DataError(
                f"{len(texts)} sentences are too few for a vocabulary",
                "give more",
                {"min_count": "lower {}"},
            )
        return built

    @property
    def end(self) -> int:
        """Return the id of START and END."""
        return int(self.vocab.encode(BOUNDARY)[0])

    @property
    def _lead(self) -> str:
        return " " if self.vocab.kind in ("word", "bpe") else ""

    def encode(self, text: str) -> np.ndarray:
        """Encode a sentence, END last; an empty one is END alone."""
        text = one_spaced(text)
        return self.vocab.encode(f"{self._lead}{text}{BOUNDARY}" if text else BOUNDARY)

    def decode(self, ids: Any) -> str:
        """Decode ids without START and END."""
        return self.vocab.decode(ids).strip()

    def tokens(self, ids: Any) -> list[str]:
        """Return the text of each token, without its leading space; END as such."""
        names = [self.vocab.token_text(int(i)) for i in ids]
        return ["END" if name == BOUNDARY else name.removeprefix(self._lead) for name in names]

    def unknown(self, encoded: Sequences) -> int:
        """Count the unknown tokens."""
        unknown = getattr(self.vocab, "unknown_id", None)
        return 0 if unknown is None else int(np.sum(encoded.values == unknown))
