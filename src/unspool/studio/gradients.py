"""Show how far back a loss reaches, in a run's model and in untrained ones."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ..cells.names import label
from ..errors import DataError
from ..inspection import GradientFlow, gradient_flow
from ..models.language import LanguageModel
from ..tasks.reading import inspected_text
from ..tasks.run import require
from ..tasks.text.run import Run

router = APIRouter(prefix="/api/gradients")

LONGEST = 20_000  # characters
WIDEST = 128  # units of an untrained model
ENDS = 32
COLOURS = 6  # of the page, for untrained cells


class Asked(BaseModel):
    """A text, and how many tokens to go back; an empty text is the run's held-out one."""

    text: str = ""
    steps: int = Field(default=100, ge=2, le=500)


@router.post("/{run:path}")
def flow(run: str, asked: Asked, request: Request) -> dict[str, Any]:
    """Return lines of ||dL_T/dh_t||, medians over positions T of the text, starting at T."""
    loaded = require(request.app.state.store.load(run), Run)
    text = (asked.text or inspected_text(loaded, None, LONGEST))[:LONGEST]
    ids = loaded.vocab.encode(text)
    if len(ids) < 3:
        raise DataError("the text is too short to go back in: use one of a few sentences")
    steps = min(asked.steps, len(ids) - 1)
    lines = _lines(run, "run", loaded.model, ids, steps)
    size = min(WIDEST, loaded.model.stack.cells[0].hidden_size)
    for number, (name, cell) in enumerate(request.app.state.store.cells.items()):
        fresh = LanguageModel.create(loaded.vocab, cell=cell, hidden_size=size)
        about = f"{label(name)} of {size} units, untrained"
        lines += _lines(about, f"cell-{number % COLOURS}", fresh, ids, steps)
    return {"text": text, "steps": steps, "lines": lines}


def _lines(
    name: str, kind: str, model: LanguageModel, ids: np.ndarray, steps: int
) -> list[dict[str, Any]]:
    """Return the gradient of h in each layer, and its factor per step."""
    layers: dict[int, GradientFlow] = {}  # h of each, or the first array of a state without h
    for one in gradient_flow(model, ids, steps=steps, ends=ENDS):
        if one.quantity == "h" or one.layer not in layers:
            layers[one.layer] = one
    found = list(layers.values())
    return [
        {
            "name": name if len(found) == 1 else f"{name}, layer {one.layer + 1}",
            "kind": kind,
            "norms": [x if np.isfinite(x) else None for x in one.median.tolist()],
            "factor": one.factor if np.isfinite(one.factor) else None,
            "reach": one.reach,
        }
        for one in found
    ]
