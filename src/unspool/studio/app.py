"""The studio's application: routers, errors and the files of the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from ..errors import UnspoolError
from . import answers, captions, cells, gradients, play, runs, translation, unrolled
from .security import ASK, Codes, Guard
from .store import Store
from .trainings import Trainings

STATIC = Path(__file__).parent / "static"
ROUTERS = (
    runs.router,
    play.router,
    cells.router,
    unrolled.router,
    gradients.router,
    translation.router,
    captions.router,
)


def create_app(runs_dir: Path, token: str, codes: Codes | None = None) -> FastAPI:
    """Create the application for the runs below a folder; its page has to present `token`, which it
    gets in exchange for one of the codes.

    When the application stops, the trainings that it started are asked to save and stop.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.trainings.stop_all()
        cells.forget()

    app = FastAPI(
        lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None,
        default_response_class=answers.Answer,
    )  # fmt: skip
    app.state.token, app.state.codes = token, codes or Codes()
    app.state.store = Store(runs_dir)
    app.state.trainings = Trainings(runs_dir)
    app.add_middleware(Guard, token=token)
    app.add_exception_handler(UnspoolError, answers.refused)
    app.add_exception_handler(RequestValidationError, answers.invalid)
    app.add_exception_handler(Exception, answers.failed)
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/enter", _enter, methods=["POST"])
    app.add_api_route("/", _index, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


class Code(BaseModel):
    """The code in the address that opened the page."""

    code: str = Field(max_length=100)


def _enter(given: Code, request: Request) -> Response:
    """Exchange a code for the token."""
    if not request.app.state.codes.spend(given.code):
        return answers.Answer({"detail": ASK}, 401)
    return answers.Answer({"token": request.app.state.token}, headers={"cache-control": "no-store"})


def _index() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-store"})
