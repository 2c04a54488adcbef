"""Read a text as a run's model does, to inspect the model."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..data import Vocabulary
from ..data.sources import open_sources
from ..errors import ConfigError, DataError
from ..inspection import Spans

if TYPE_CHECKING:
    from .run import LoadedRun


class Reading(NamedTuple):
    """The arguments of `Trace.record`: a model, the tokens of a text, the initial state."""

    model: Any
    vocab: Vocabulary
    spans: Spans
    state: Any

    @property
    def unknown_share(self) -> float:
        """Return the share of unknown tokens."""
        ids = self.spans.inputs if self.spans.inputs.ndim == 1 else self.spans.inputs[:, 0]
        return (
            0.0 if self.vocab.unknown_id is None else float(np.mean(ids == self.vocab.unknown_id))
        )


def read_as(run: "LoadedRun", text: str, condition: str | None = None) -> Reading:
    """Read a text as one sequence, with any kind of run whose model reads text.

    A language model reads the tokens of its vocabulary; so does a generator, from the state of the
    label `condition`. Classifiers and taggers read words or tokens, a translator's encoder reads
    sentences with single spaces and a space before each (which is the reading's text then). Unknown
    words and characters are read as the unknown token; a language model without one raises
    UnknownTokenError. Raises RunError if the run reads no text, ConfigError if the condition is
    wrong, DataError if the text is empty.
    """
    if not text:
        raise DataError("the text is empty: use one with some content")
    if run.conditions and condition not in run.conditions:
        known = ", ".join(run.conditions)
        got = "" if condition is None else f", got {condition!r}"
        raise ConfigError(f"condition must be one of {known}{got}")
    if condition is not None and not run.conditions:
        raise ConfigError(f"condition needs a generator: {run.path} is not one")
    return run.reading(text, condition)


def read_source(
    run: "LoadedRun", source: str | None, most: int, condition: str | None = None
) -> Reading:
    """Read at most `most` characters of a source; without one, the tokens of the run's held-out
    part that evaluation uses.
    """
    reading = read_as(run, inspected_text(run, source, most), condition)
    return reading if source is not None else run.held_out_reading(reading, most)


def inspected_text(run: "LoadedRun", source: str | None, most: int) -> str:
    """Return the first `most` characters of a source; without one, of the run's held-out text.

    Raises DataError if the source cannot be used, RunError if there is no held-out text.
    """
    if source is None:
        return run.held_out_text(most)
    with open_sources((source,), raw=run.reads_bytes) as found:
        pieces = list(found.pieces(0, most))
    return text_of(b"".join(pieces)) if run.reads_bytes else "".join(pieces)


def text_of(data: bytes) -> str:
    """Decode bytes into a text that `ByteVocabulary` encodes as the same bytes again."""
    return data.decode("utf-8", "surrogateescape")
