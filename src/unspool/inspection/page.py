"""Render a text coloured by units, with what the model expected: a self-contained HTML page."""

import base64
import json
import re
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from .annotations import Annotation
from .next_tokens import NextTokens
from .spans import shaded
from .trace import Trace
from .units import UnitScore, best_units

MOST_NATS = 8.0  # of the scale of surprise


def render(
    trace: Trace,
    annotations: Mapping[str, Annotation],
    scores: list[UnitScore],
    expected: NextTokens | None,
    *,
    names: list[str],
    quantity: str,
    chars: int,
    units: int = 3,
    title: str = "",
) -> str:
    """Render a page with the first `chars` characters and the best `units` of each annotation.

    Values are shown in 256 steps: tanh(c), h and the candidates from -1 to 1, gates from 0 to 1.
    `expected` covers the tokens shown (None for models that do not predict tokens) and `names`
    are the texts of all tokens. `quantity` is what was scored.
    """
    steps = int(np.searchsorted(trace.last, chars))
    known = trace.quantities[0][quantity]
    shown = best_units(scores, units)
    chosen = sorted({(one.layer, one.unit) for rows in shown.values() for one in rows})
    data = {
        "title": title,
        "quantity": known.shown_as(quantity),
        "total": len(trace.text),
        "tokens": _tokens(trace, steps),
        "units": [{"layer": layer, "unit": unit} for layer, unit in chosen],
        "values": [_packed(_shades(trace, steps, unit, quantity)) for unit in chosen],
        "range": known.shown_range,
        "annotations": [
            _annotation(trace, steps, annotations[name], shown[name]) for name in shown
        ],
        "saturation": [
            {"layer": i, "gate": gate, "shares": _packed(np.round(255 * shares))}
            for i, layer in enumerate(trace.saturation)
            for gate, shares in layer.items()
        ],
        "expected": _expected(expected, names) if expected is not None else None,
    }
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return filled(template, title, data)


def filled(template: str, title: str, data: Any) -> str:
    """Fill in the page; a title such as {{data}} is not filled in again."""
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"title": escape(title), "data": content}
    return re.sub(r"\{\{(title|data)\}\}", lambda m: parts[m[1]], template)


def _tokens(trace: Trace, steps: int) -> list[str]:
    """Return the text of each token, with preceding characters that belong to no token; a character
    of several tokens is shown at the first.
    """
    pieces, done = [], 0
    for last in trace.last[:steps].tolist():
        pieces.append(trace.text[done : last + 1])
        done = max(done, last + 1)
    return pieces


def _shades(trace: Trace, steps: int, unit: tuple[int, int], quantity: str) -> np.ndarray:
    layer, number = unit
    values = np.array(trace.layers[layer][quantity][:steps, number])
    return np.round(127.5 + 127.5 * shaded(values, trace.quantities[layer][quantity]))


def _annotation(
    trace: Trace, steps: int, annotation: Annotation, best: list[UnitScore]
) -> dict[str, Any]:
    values = annotation.values[trace.last[:steps]]
    most = 1 if annotation.is_binary else max(float(np.abs(annotation.values).max()), 1.0)
    return {
        "name": annotation.name,
        "meaning": annotation.meaning,
        "binary": annotation.is_binary,
        "most": most,
        "values": _packed(np.round(255 * np.abs(values.astype(np.float32)) / most)),
        "best": [one._asdict() for one in best],
    }


def _expected(expected: NextTokens, names: list[str]) -> dict[str, Any]:
    used, ids = np.unique(expected.ids, return_inverse=True)
    nats = np.nan_to_num(expected.surprise) / MOST_NATS
    return {
        "names": [names[i] for i in used.tolist()],
        "ids": _packed(ids.reshape(-1), "<u2" if len(used) <= 1 << 16 else "<u4"),
        "wide": len(used) > 1 << 16,
        "probabilities": _packed(np.round(65535 * expected.probabilities.reshape(-1)), "<u2"),
        "surprise": _packed(np.round(255 * nats.clip(0, 1))),
        "most": MOST_NATS,
        "k": expected.ids.shape[1],
    }


def _packed(values: np.ndarray, kind: str = "u1") -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()
