"""How the studio answers: JSON that any text of a run fits in, and errors as sentences."""

import json
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from .security import HEADERS


class Answer(JSONResponse):
    """JSON in ASCII: names of files and texts of runs may have what UTF-8 cannot say."""

    def render(self, content: Any) -> bytes:
        """Raises ValueError for a number that JSON lacks."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def refused(request: Request, error: Exception) -> Answer:
    """An error of the user's: the sentence that the command line would print."""
    return Answer({"detail": str(error)}, 400)


def invalid(request: Request, error: Any) -> Answer:
    """Which part of a request breaks which rule. What was given, which may be anything, is not
    sent back.
    """
    told = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]
    return Answer({"detail": told}, 422)


def failed(request: Request, error: Exception) -> Answer:
    """An error of ours; this answer is made outside of the guard, so it brings its headers."""
    return Answer({"detail": f"the studio failed: {error!r:.300}"}, 500, headers=HEADERS)
