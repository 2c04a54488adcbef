"""Serve the lesson: a tiny network learns one word, step by step with all its numbers."""

from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from fastapi import APIRouter, Request

from ..cells import Cell
from ..cells.base import MatrixCell
from ..errors import ConfigError
from ..inspection.unrolled import Unrolled, unrolled
from ..models.language import LanguageModel
from ..tasks.text.hello import after, fit_word

router = APIRouter(prefix="/api/unrolled")

LONGEST, MOST_UNITS, STEPS = 13, 6, 300


@router.get("")
def lesson(
    request: Request,
    text: str = "hello",
    cell: str = "rnn",
    hidden_size: int = 3,
    trained: int = STEPS,
) -> dict[str, Any]:
    """Return the network after `trained` of 300 steps of Adam on `text`, reading it."""
    if not 2 <= len(text) <= LONGEST:
        raise ConfigError(f"the text must have 2 to {LONGEST} characters, got {len(text)}")
    if not 1 <= hidden_size <= MOST_UNITS:
        raise ConfigError(f"hidden_size must be from 1 to {MOST_UNITS}, got {hidden_size}")
    if not 0 <= trained <= STEPS:
        raise ConfigError(f"trained must be from 0 to {STEPS}, got {trained}")
    kind = request.app.state.store.cell(cell)
    course, losses, vocabulary, ids = _course(text, kind, hidden_size)
    model = after(course, trained)
    found = unrolled(model, ids)
    return {
        "text": text,
        "cell": cell,
        "hidden_size": hidden_size,
        "trained": trained,
        "vocabulary": vocabulary,
        "losses": losses,
        "gates": list(kind.gate_names) or ["h"],
        "weights": _weights(model),
        "parts": _parts(kind, found),
        "steps": _steps(text, found),
    }


@lru_cache(maxsize=32)
def _course(
    text: str, cell: type[Cell], hidden_size: int
) -> tuple[LanguageModel, list[float], list[str], np.ndarray]:
    """Return all models of the training, its losses, the vocabulary and the text's ids."""
    vocabulary = list(dict.fromkeys(text))  # in order of appearance: h e l o
    ids = np.array([vocabulary.index(c) for c in text], np.int32)
    model = LanguageModel.create(len(vocabulary), cell=cell, hidden_size=hidden_size, seed=0)
    course, losses = fit_word(model, jnp.asarray(ids), STEPS)
    return course, np.asarray(losses).tolist(), vocabulary, ids


def _weights(model: LanguageModel) -> dict[str, Any]:
    """Return matrices and biases as lists; a GRU's b_hn belongs to its gate n alone."""
    (cell,) = model.stack.cells
    if not isinstance(cell, MatrixCell):
        return {"w_out": np.asarray(model.w_out).tolist()}
    named = {name: getattr(cell, name, None) for name in ("w_ih", "w_hh", "bias", "b_hn")}
    named |= {"w_out": model.w_out, "b_out": model.b_out}
    return {name: np.asarray(w).tolist() for name, w in named.items() if w is not None}


def _parts(cell: type[Cell], found: Unrolled) -> list[dict[str, Any]]:
    """The columns of numbers at a step, in the order in which they are computed."""
    known, (layer,) = cell.quantities(), found.layers
    names = [*cell.gate_names, *reversed(list(cell.state_names))]
    return [{"name": name, "range": known[name].shown_range} for name in names if name in layer]


def _steps(text: str, found: Unrolled) -> list[dict[str, Any]]:
    (state,), (gradients,) = found.layers, found.gradients
    return [
        {
            "input": text[t],
            "target": text[t + 1],
            "state": {name: values[t].tolist() for name, values in state.items()},
            "scores": found.scores[t].tolist(),
            "probabilities": found.probabilities[t].tolist(),
            "nats": float(found.nats[t]),
            "gradient": float(np.linalg.norm(gradients[t])),
        }
        for t in range(len(found.nats))
    ]
