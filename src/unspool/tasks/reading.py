"""A text as a run's model reads it, for those who look inside the model."""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..data import TextEncoder, Vocabulary
from ..data.sources import open_sources
from ..data.subword import WordVocabulary
from ..data.words import one_spaced, splitter
from ..errors import ConfigError, DataError, RunError
from ..inspection import Spans
from .generate.run import GeneratorRun
from .label.run import LabelledRun
from .run import LoadedRun
from .text.run import Run, open_text
from .translate.run import TranslatorRun


class Reading(NamedTuple):
    """What `Trace.record` takes: a model, the tokens of a text, the state to begin with."""

    model: Any
    vocab: Vocabulary
    spans: Spans
    state: Any

    @property
    def unknown_share(self) -> float:
        """The share of the tokens that the model does not know."""
        ids = self.spans.inputs if self.spans.inputs.ndim == 1 else self.spans.inputs[:, 0]
        return (
            0.0 if self.vocab.unknown_id is None else float(np.mean(ids == self.vocab.unknown_id))
        )


def read_as(run: LoadedRun, text: str, condition: str | None = None) -> Reading:
    """A text as one sequence: every kind of run whose model reads text.

    A language model reads the tokens of its vocabulary, and a generator too, from the state of
    the label `condition`. Classifiers and taggers read words or tokens, a translator's encoder
    sentences with single spaces and a space before each (the reading's text is that one).
    Unknown words and characters are read as the unknown token; a language model without one raises
    UnknownTokenError. Raises RunError for a run that reads no text, ConfigError for a wrong
    condition, DataError for an empty text.
    """
    if not text:
        raise DataError("the text is empty: give one with some content")
    if (condition is not None) != isinstance(run, GeneratorRun):
        known = ", ".join(run.labels) if isinstance(run, GeneratorRun) else ""
        needed = f"must be one of {known}" if known else f"needs a generator: {run.path} is none"
        raise ConfigError(f"condition {needed}")
    if isinstance(run, Run):
        shown = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return Reading(run.model, run.vocab, Spans(shown, *run.vocab.spans(text)), None)
    if isinstance(run, TranslatorRun):
        lines = "".join(f" {one_spaced(line)}\n" for line in text.splitlines() if line.strip())
        vocab = run.source.vocab
        return Reading(run.model, vocab, Spans(lines, *vocab.spans(lines)), None)
    if not isinstance(run, LabelledRun) or not isinstance(run.encoder, TextEncoder):
        raise RunError(
            f"{run.path} reads no text ({run.what}): inspect needs a run that reads text"
        )
    spans, vocab = _encoded(run.encoder, text), run.encoder.vocab
    if not isinstance(run, GeneratorRun):
        return Reading(run.model, vocab, spans, None)
    if condition not in run.labels:
        raise ConfigError(f"condition must be one of {', '.join(run.labels)}, got {condition!r}")
    label = jnp.array([run.labels.index(condition)])
    return Reading(run.model, vocab, spans, run.model.initial_state(label))


def read_source(
    run: LoadedRun, source: str | None, most: int, condition: str | None = None
) -> Reading:
    """What `read_as` makes of `inspected_text`; of a run's held-out part the very tokens that are
    evaluated.
    """
    reading = read_as(run, inspected_text(run, source, most), condition)
    if source is None and isinstance(run, Run) and isinstance(run.vocab, WordVocabulary):
        # Their text is not split again: where a word stood for another, it may have lost a space.
        ids = run.own_data(open_text, "").val[:most].astype(np.int32)
        names = [run.vocab.token_text(int(token)) for token in ids]
        ends = np.cumsum([0, *map(len, names)])
        count = int(np.searchsorted(ends[1:], most, side="right"))
        spans = Spans("".join(names[:count]), ids[:count], ends[:count], ends[1 : count + 1] - 1)
        return reading._replace(spans=spans)
    return reading


def inspected_text(run: LoadedRun, source: str | None, most: int) -> str:
    """The first `most` characters of a source; without one, of a language model's held-out part.

    Raises DataError for a source that cannot be used, RunError where there is no held-out text.
    """
    if source is not None:
        with open_sources((source,), raw=_reads_bytes(run)) as found:
            pieces = list(found.pieces(0, most))
        return _text_of(b"".join(pieces)) if _reads_bytes(run) else "".join(pieces)
    remedy = "name a text to inspect it on"
    if not isinstance(run, Run):
        raise RunError(f"{run.path} keeps no held-out text: {remedy}")
    text = run.own_data(open_text, remedy)
    if _reads_bytes(run):
        return _text_of(run.vocab.bytes_of(text.val[:most]))
    return run.vocab.decode(text.val[:most])[:most]


def _reads_bytes(run: LoadedRun) -> bool:
    return isinstance(run, Run) and run.vocab.kind == "byte"


def _text_of(data: bytes) -> str:
    """Bytes as a text from which `ByteVocabulary` gets the same bytes again."""
    return data.decode("utf-8", "surrogateescape")


def _encoded(encoder: TextEncoder, text: str) -> Spans:
    if not isinstance(encoder.vocab, WordVocabulary):
        return Spans(text, *encoder.vocab.spans(text))
    words = list(splitter(encoder.vocab.rule).finditer(text))
    if not words:
        raise DataError("the text has no words: give one with some content")
    ids = dataclasses.replace(encoder, max_length=None).encode([word[0] for word in words])
    first, after = np.array([word.span() for word in words]).T
    return Spans(text, ids, first, after - 1)
