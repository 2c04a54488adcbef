"""Runs: what there is, how it trains, and starting and stopping it."""

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ..errors import ConfigError, RunError
from ..training.directory import METRICS, MODEL, read_config

router = APIRouter(prefix="/api/runs")

MOST_BYTES = 64 * 2**20  # of an uploaded text
MOST_READ = 4 * 2**20  # of metrics.jsonl in one answer


class Wanted(BaseModel):
    """A training to start on a text."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    text: str
    cell: str = "lstm"
    hidden: int = Field(default=256, ge=1, le=4096)
    layers: int = Field(default=1, ge=1, le=8)
    tokens: str = "char"
    minutes: float = Field(default=5, gt=0, le=24 * 60)


@router.get("")
def every(request: Request) -> list[dict[str, Any]]:
    """All runs, the last one changed first."""
    store, trainings = request.app.state.store, request.app.state.trainings
    found = [_summary(store.path(name), name, trainings) for name in store.names()]
    starting = [one for one in trainings.starting() if one["name"] not in store.names()]
    return starting + sorted(found, key=lambda one: -one["changed"])


@router.get("/config/{run:path}")
def config(run: str, request: Request) -> dict[str, Any]:
    """The run's config.json."""
    found: dict[str, Any] = read_config(request.app.state.store.path(run))
    return found


@router.get("/curve/{run:path}")
def curve(run: str, request: Request, offset: int = 0) -> dict[str, Any]:
    """Records of metrics.jsonl from a byte on, and the byte to go on from."""
    path = request.app.state.store.path(run) / METRICS
    if not path.exists():
        return {"records": [], "offset": 0}
    size = path.stat().st_size
    with open(path, "rb") as file:
        file.seek(offset if 0 <= offset <= size else 0)  # a resumed run may be cut back
        data = file.read(MOST_READ)
    whole = data[: data.rfind(b"\n") + 1]
    records = [json.loads(line) for line in whole.splitlines() if line.strip()]
    begin = offset if 0 <= offset <= size else 0
    return {"records": records, "offset": begin + len(whole), "restart": begin != offset}


@router.post("/start")
async def start(request: Request) -> dict[str, str]:
    """Begin a training of a language model on a text."""
    size = int(request.headers.get("content-length", MOST_BYTES + 1))
    if size > MOST_BYTES:
        raise ConfigError(
            f"the text must have at most {MOST_BYTES >> 20} MB here: for a larger one run "
            "`unspool train text FILE --run DIR`, the studio will show it"
        )
    wanted = Wanted.model_validate_json(await request.body())
    if not wanted.text.strip():
        raise ConfigError("there is no text to learn from: drop a file or paste one")
    path = request.app.state.store.path(wanted.name)
    if path.exists():
        raise RunError(f"{wanted.name} exists already: choose another name")
    request.app.state.trainings.start(wanted.name, wanted.text, wanted.model_dump())
    return {"name": wanted.name}


@router.post("/stop/{run:path}")
def stop(run: str, request: Request) -> dict[str, str]:
    """Ask a training that the studio started to save and stop."""
    request.app.state.trainings.stop(run)
    return {"name": run}


@router.post("/resume/{run:path}")
def resume(run: str, request: Request) -> dict[str, str]:
    """Go on with a run that was stopped."""
    config = read_config(request.app.state.store.path(run))
    if config["task"].get("kind", "language") != "language":
        raise ConfigError("the studio resumes language models: use `unspool train ... --resume`")
    request.app.state.trainings.resume(run)
    return {"name": run}


def _summary(path: Path, name: str, trainings: Any) -> dict[str, Any]:
    try:
        read = read_config(path)
        model, task = read["model"], read["task"]
    except (RunError, KeyError, TypeError) as error:
        return {"name": name, "error": str(error), "changed": path.stat().st_mtime}
    last = _last(path / METRICS)
    metrics = path / METRICS
    return {
        "name": name,
        "kind": model.get("kind", "language"),
        "cell": model.get("cell"),
        "hidden_size": model.get("hidden_size"),
        "num_layers": model.get("num_layers", 1),
        "tokens": task.get("tokens"),
        "data": {k: v for k, v in task.items() if k.startswith(("train_", "val_"))},
        "has_weights": (path / MODEL).exists(),
        "changed": (metrics if metrics.exists() else path).stat().st_mtime,
        **last,
        **trainings.status(name, path),
    }


def _last(path: Path) -> dict[str, Any]:
    """Step, losses and time of the last records."""
    if not path.exists():
        return {}
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 64_000))
        lines = file.read().splitlines()
    found: dict[str, Any] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # the first line is cut, the last half written
            continue
        for key in ("step", "loss_nats", "val_loss_nats", "elapsed_s", "parameters"):
            if key in record:
                found[key] = record[key]
    return found
