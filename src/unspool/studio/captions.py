"""Caption a picture, and show where the run's model attended for each word."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from ..data.pixels import decode_picture
from ..errors import ConfigError, DataError
from ..tasks.caption.run import CaptionerRun
from ..tasks.run import require
from ..vision.preparation import GIVEN

router = APIRouter(prefix="/api/captions")

BEAMS = (1, 2, 5, 10)
MOST_BYTES = 32 * 2**20  # size of a picture's file


@router.get("/{run:path}")
def about(run: str, request: Request) -> dict[str, Any]:
    """Return what the page offers."""
    return {"attention": _load(request, run).model.way == "attention", "beams": BEAMS}


@router.post("/{run:path}")
async def caption(
    run: str, request: Request, num_beams: int = Query(default=5, ge=1, le=max(BEAMS))
) -> dict[str, Any]:
    """Return the best caption of the picture in the body, and (T, S) weights of a square grid."""
    content = await _body(request)
    return await run_in_threadpool(_caption, request, run, content, num_beams)


def _caption(request: Request, run: str, content: bytes, num_beams: int) -> dict[str, Any]:
    loaded = _load(request, run)
    pixels = decode_picture(content)
    ((best,),) = loaded.caption([pixels], num_beams=num_beams, n_best=1)
    made = {"text": best.text, "log_p": best.log_p, "square": _square(pixels)}
    if loaded.model.way != "attention":
        return {**made, "tokens": [*loaded.sentences.tokens(best.ids), "END"], "weights": None}
    tokens, weights = loaded.attention(pixels, best)
    return {**made, "tokens": tokens, "weights": weights.reshape(len(tokens), -1).tolist()}


def _load(request: Request, run: str) -> CaptionerRun:
    loaded = require(request.app.state.store.load(run), CaptionerRun)
    if loaded.preparation.cnn == GIVEN:
        raise ConfigError(f"{run} describes features computed elsewhere, not pictures")
    return loaded


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_BYTES:
            raise DataError(f"the picture must have at most {MOST_BYTES >> 20} MB: make it smaller")
    return bytes(content)


def _square(pixels: np.ndarray) -> list[float]:
    """Return left, top, width and height of the square that the model saw, as shares of the
    picture.
    """
    height, width, _ = pixels.shape
    side = min(height, width)
    return [(1 - side / width) / 2, (1 - side / height) / 2, side / width, side / height]
