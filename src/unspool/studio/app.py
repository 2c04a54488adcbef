"""The studio's application: routers, errors and the files of the page."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from ..cells import CELLS, Cell
from ..cells.names import label
from ..errors import UnspoolError
from ..tasks.text.recipe import TEXT
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


def create_app(
    runs_dir: Path,
    token: str,
    codes: Codes | None = None,
    own: Mapping[str, type[Cell]] | None = None,
) -> FastAPI:
    """Create the application for the runs below a folder; its page has to present `token`, which it
    gets in exchange for one of the codes. `own` are the cells of your own that runs may have, by
    name.

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
    app.state.store = Store(runs_dir, {**CELLS, **(own or {})})
    app.state.trainings = Trainings(runs_dir)
    app.add_middleware(Guard, token=token)
    app.add_exception_handler(UnspoolError, answers.refused)
    app.add_exception_handler(RequestValidationError, answers.invalid)
    app.add_exception_handler(Exception, answers.failed)
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/enter", _enter, methods=["POST"])
    app.add_api_route("/api/choices", _choices)
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


def _choices(request: Request) -> dict[str, list[tuple[str, str]]]:
    """What a training on a text, or a lesson, can be begun with."""
    tokens = TEXT.options.__dataclass_fields__["tokens"].metadata["choices"]
    return {
        "cell": [(name, label(name)) for name in request.app.state.store.cells],
        "tokens": [(name, name) for name in tokens],
    }


def _index() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-store"})
