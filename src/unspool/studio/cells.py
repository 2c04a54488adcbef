"""Serve a run's units on a text: their values, what they stand for, what the model expects."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ..cells import Quantity
from ..errors import ConfigError
from ..inspection import (
    Annotation,
    Spans,
    Trace,
    annotate,
    best_units,
    cell_quantity,
    next_tokens,
    score_units,
)
from ..inspection.spans import rank_span, shaded
from ..tasks.reading import read_as
from ..tasks.run import require
from ..tasks.text.run import Run, open_text
from .recent import Recent

router = APIRouter(prefix="/api/cells")

LONGEST = 20_000  # tokens of a text
SAMPLE = 6_000  # tokens of the held-out text that are read at once
KEPT = 4  # traces
LIKELIEST = 5
BEST = 64  # units per annotation


class Given(BaseModel):
    """A text to read."""

    text: str


@dataclass(frozen=True)
class TracedText:
    """A text as a run's model reads it."""

    run: Any
    trace: Trace
    annotations: dict[str, Annotation]


_traced: Recent[TracedText] = Recent(KEPT)


@router.get("/sample/{run:path}")
def sample(run: str, request: Request, number: int = 0) -> dict[str, str]:
    """Return a part of the run's held-out text; `number` counts its parts."""
    loaded = require(request.app.state.store.load(run), Run)
    ids = loaded.own_data(open_text, "paste a text or open a file").val
    start = number * SAMPLE % max(1, len(ids) - SAMPLE + 1)
    return {"text": loaded.vocab.decode(np.asarray(ids[start : start + SAMPLE]))}


@router.post("/trace/{run:path}")
def trace(run: str, given: Given, request: Request) -> dict[str, Any]:
    """Read a text; return what the page needs to request its values."""
    loaded = request.app.state.store.load(run)
    reading = read_as(loaded, given.text, next(iter(loaded.conditions), None))
    made = Trace.record(reading.model, _cut(reading.spans), state=reading.state)
    annotations = {name: one for name, one in annotate(made.text).items() if not one.is_constant}
    count = len(reading.spans.inputs)
    return {
        "id": _traced.keep(TracedText(loaded, made, annotations)),
        "note": f"Read the first {LONGEST:,} of {count:,} tokens." if count > LONGEST else "",
        "tokens": pieces(made.text, made.first),
        "layers": [
            {"units": layer["h"].shape[1], "quantities": _best_first(layer, known)}
            for layer, known in zip(made.layers, made.quantities, strict=True)
        ],
        "annotations": list(annotations),
        "vocabulary": _vocabulary(loaded),
    }


@router.get("/values/{identity}/{layer}/{quantity}")
def values(identity: str, layer: int, quantity: str) -> Response:
    """Return a quantity as int8 (H, T): -127 at one end of its range, 127 at the other."""
    found = _find(identity).trace
    layers = found.layers
    if not (0 <= layer < len(layers) and quantity in layers[layer]):
        raise ConfigError(f"layer {layer} has no {quantity}: choose from the lists of the page")
    array = shaded(layers[layer][quantity], found.quantities[layer][quantity]).T
    return _octets(np.rint(127 * array).astype(np.int8))


@router.get("/next/{identity}")
def likeliest(identity: str) -> Response:
    """Return int32 ids (T, 5), float32 probabilities (T, 5), float32 surprise (T,) in nats."""
    traced = _find(identity)
    require(traced.run, Run)
    k = min(LIKELIEST, len(traced.run.vocab))
    found = next_tokens(traced.run.model, traced.trace.tokens, k)
    return _octets(found.ids.astype("<i4"), *(a.astype("<f4") for a in found[1:]))


@router.get("/scores/{identity}")
def scores(identity: str, annotation: str = "", pattern: str = "") -> list[dict[str, Any]]:
    """Return the units that best match an annotation, or the matches of a regular expression."""
    traced = _find(identity)
    known = traced.annotations
    if pattern:
        annotation = f"/{pattern}/"
        known = annotate(traced.trace.text, patterns={annotation: pattern})
    if annotation not in known or known[annotation].is_constant:
        raise ConfigError(f"{annotation!r} is constant in this text, so no unit can be scored")
    found = score_units(traced.trace, {annotation: known[annotation]})
    return [one._asdict() for best in best_units(found, BEST).values() for one in best]


@router.get("/span/{identity}")
def span(identity: str, first: int, last: int, threshold: float = 0.5) -> list[dict[str, Any]]:
    """Return the units that are on from token `first` to `last` and off elsewhere."""
    found = rank_span(_find(identity).trace, first, last, threshold)
    return [one._asdict() for one in found]


def pieces(text: str, first: np.ndarray) -> list[str]:
    """Return the text of each token; a character split over tokens belongs to the last one."""
    cuts = [0, *first[1:].tolist(), len(text)]
    return [text[begin:end] for begin, end in pairwise(cuts)]


def _vocabulary(run: Any) -> list[str] | None:
    """Return the texts of all tokens, if the run predicts tokens."""
    if not isinstance(run, Run):
        return None
    return [run.vocab.token_text(i) for i in range(len(run.vocab))]


def _cut(spans: Spans) -> Spans:
    """Keep the first tokens if there are too many for a page."""
    if len(spans.inputs) <= LONGEST:
        return spans
    inputs, first, last = (array[:LONGEST] for array in spans[1:])
    return Spans(spans.text[: last[-1] + 1], inputs, first, last)


def _best_first(layer: dict[str, np.ndarray], known: dict[str, Quantity]) -> list[dict[str, Any]]:
    """The quantities that have a number a unit: names, what is shown of them and its range."""
    names = sorted(layer, key=lambda name: name != cell_quantity(layer))
    return [
        {
            "name": name,
            "label": f"{name}, {known[name].meaning}" if known[name].meaning else name,
            "shown": known[name].shown_as(name),
            "range": known[name].shown_range,
        }
        for name in names
        if layer[name].shape == layer["h"].shape
    ]


def forget() -> None:
    """Forget all texts, and so delete the files of their traces."""
    _traced.clear()


def _find(identity: str) -> TracedText:
    traced = _traced.find(identity)
    if traced is None:
        raise ConfigError("this text is no longer kept: read it again")
    return traced


def _octets(*arrays: np.ndarray) -> Response:
    content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return Response(content, media_type="application/octet-stream")
