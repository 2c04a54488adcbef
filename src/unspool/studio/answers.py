"""The studio's responses: JSON that can hold any text of a run, and one-line errors."""

import json
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from .security import HEADERS


class Answer(JSONResponse):
    """JSON in ASCII, since file names and texts of runs may have what UTF-8 cannot encode."""

    def render(self, content: Any) -> bytes:
        """Render as JSON. Raises ValueError for a number that JSON lacks."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def refused(request: Request, error: Exception) -> Answer:
    """Answer a user's error with the message that the command line would print."""
    return Answer({"detail": str(error)}, 400)


def invalid(request: Request, error: Any) -> Answer:
    """Say which part of a request breaks which rule, without sending back its value, which may be
    anything.
    """
    told = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]
    return Answer({"detail": told}, 422)


def failed(request: Request, error: Exception) -> Answer:
    """Answer an error of ours; this is done outside of the guard, so the headers are set here."""
    return Answer({"detail": f"the studio failed: {error!r:.300}"}, 500, headers=HEADERS)
