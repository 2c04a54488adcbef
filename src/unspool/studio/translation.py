"""Serve translations of a run, and their attention."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ..data import PairData
from ..decoding.hypotheses import Hypothesis
from ..errors import ConfigError
from ..tasks.run import require
from ..tasks.translate.run import TranslatorRun
from ..training.directory import DATA

router = APIRouter(prefix="/api/translation")

BEAMS = (1, 2, 5, 10)
LONGEST = 1000  # characters


class Sentence(BaseModel):
    """A sentence to translate, and how to search."""

    text: str
    num_beams: int = Field(default=5, ge=1, le=max(BEAMS))


@router.get("/{run:path}")
def about(run: str, request: Request) -> dict[str, Any]:
    """Return what the page offers."""
    loaded = _load(request, run)
    attentive = loaded.model.decoder.attention is not None
    return {"attention": attentive, "beams": BEAMS, "example": _example(loaded)}


@router.post("/{run:path}")
def translate(run: str, sentence: Sentence, request: Request) -> dict[str, Any]:
    """Return up to three translations, best first, with tokens and attention weights (T, S)."""
    text = sentence.text.strip()
    if not text or len(text) > LONGEST:
        raise ConfigError(f"write a sentence of 1 to {LONGEST} characters, got {len(text)}")
    loaded = _load(request, run)
    n_best = min(3, sentence.num_beams)
    (found,) = loaded.translate([text], num_beams=sentence.num_beams, n_best=n_best)
    if loaded.model.decoder.attention is None:
        return {"source": [], "translations": [_plain(one) for one in found]}
    attended = loaded.attention([text] * len(found), found)
    return {
        "source": attended[0][0],
        "translations": [
            {**_plain(one), "target": target, "weights": weights.tolist()}
            for one, (_, target, weights) in zip(found, attended, strict=True)
        ],
    }


def _example(run: TranslatorRun) -> str:
    """Return a held-out sentence, if the run keeps its data."""
    if not (run.path / DATA).is_dir():
        return ""
    first = run.own_data(PairData.open, "").val.source.split()[0]
    return run.source.decode(first)


def _load(request: Request, run: str) -> TranslatorRun:
    return require(request.app.state.store.load(run), TranslatorRun)


def _plain(one: Hypothesis) -> dict[str, Any]:
    return {"text": one.text, "log_p": one.log_p, "finished": one.finished}
