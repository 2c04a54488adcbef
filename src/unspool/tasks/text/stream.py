"""Write text with a language model: prompt, stream, stop."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import Vocabulary
from ...decoding.sampling import stream
from ...decoding.stepper import LanguageStepper, text_stepper
from ...errors import ConfigError
from ...models.language import LanguageModel


@dataclass
class _Row:
    """A text being written: what is decoded so far, and how much of it was yielded."""

    decoder: Any
    text: str = ""
    given: int = 0
    ended: bool = False
    has_blank: bool = False  # the prompt ends with the space that the text begins with

    def push(self, tokens: np.ndarray, stop: str | None, last: bool) -> str:
        if self.ended:
            return ""
        new = self.decoder.push(tokens) + (self.decoder.finish() if last else "")
        self.text += new.removeprefix(" ") if self.has_blank and not self.text else new
        end = len(self.text)
        if stop:
            at = self.text.find(stop, max(0, self.given - len(stop)))
            self.ended = at >= 0
            # Without a match, the end may still be the start of the stop string.
            end = at if self.ended else end if last else max(self.given, end - len(stop) + 1)
        new, self.given = self.text[self.given : end], end
        return new


def stream_text(
    model: LanguageModel,
    vocab: Vocabulary,
    prompt: str = "",
    *,
    weights: str = "float32",
    keep_unknown: bool = False,
    **options: Any,
) -> Iterator[list[str]]:
    """Yield repeatedly the next piece of each of `count` texts that continue `prompt`.

    A text ends before the first occurrence of `stop`, or after `max_new_tokens` tokens; its
    pieces are empty from then on. `weights` is `LanguageStepper`'s; `options` are `stop`,
    `errors` and those of `decoding.stream`. An empty prompt continues a line break; spaces at the
    end of a prompt of words belong to the next word. The unknown token is never written, unless
    `keep_unknown`. `errors` says how to decode bytes that are not UTF-8, as in `bytes.decode`.
    Raises UnknownTokenError if the prompt has characters that a model without an unknown token
    never saw, ConfigError if an argument is invalid.
    """
    stepper = text_stepper(model, vocab, weights, keep_unknown)
    return stream_from(stepper, vocab, prompt, **options)


def stream_from(
    stepper: LanguageStepper,
    vocab: Vocabulary,
    prompt: str = "",
    *,
    count: int = 1,
    max_new_tokens: int = 256,
    stop: str | None = None,
    errors: str = "replace",
    **options: Any,
) -> Iterator[list[str]]:
    """Yield what `stream_text` does, from a stepper that has been made before."""
    if stop == "":
        raise ConfigError("stop must have at least one character, got an empty string")
    tokens = encode_prompt(vocab, prompt)
    blocks = stream(stepper, tokens, count=count, max_new_tokens=max_new_tokens, **options)
    rows = [_Row(vocab.decoder(errors), has_blank=prompt != without_blanks(vocab, prompt))
            for _ in range(count)]  # fmt: skip
    return _pieces(blocks, rows, max_new_tokens, stop)


def without_blanks(vocab: Vocabulary, prompt: str) -> str:
    """Strip final spaces for a vocabulary of words: there a space belongs to the next word."""
    return (prompt.rstrip(" ") or prompt) if vocab.kind == "word" else prompt


def encode_prompt(vocab: Vocabulary, prompt: str) -> np.ndarray:
    """Encode the prompt; an empty one is a line break (or the first token, if there is none)."""
    if prompt:
        return vocab.encode(without_blanks(vocab, prompt))
    newline = [i for i, token in enumerate(vocab.token_bytes) if token == b"\n"]
    return np.array(newline[:1] or [0], np.int32)


def _pieces(
    blocks: Iterator[np.ndarray], rows: list[_Row], max_new_tokens: int, stop: str | None
) -> Iterator[list[str]]:
    seen = 0
    for block in blocks:
        seen += block.shape[1]
        last = seen == max_new_tokens
        yield [row.push(tokens, stop, last) for row, tokens in zip(rows, block, strict=True)]
        if all(row.ended for row in rows):
            return
