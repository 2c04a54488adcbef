"""List runs, follow their training, start and stop them."""

import json
from collections.abc import Iterator
from functools import lru_cache
from math import isfinite
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ..cells import is_own
from ..data.left_out import printable
from ..data.vocab import VOCABULARY_FILES
from ..errors import ConfigError, DataError, RunError, UnspoolError
from ..files import open_regular, read_json
from ..tasks.registry import kind_of
from ..tasks.text.recipe import TEXT
from ..training.config import DEFAULT_MAX_STEPS
from ..training.directory import METRICS, MODEL, read_config
from .answers import Answer

router = APIRouter(prefix="/api/runs")

MOST_READ = 4 * 2**20  # bytes of metrics.jsonl in one answer
LARGEST = 2**53  # the largest whole number that JavaScript represents exactly


class Wanted(BaseModel):
    """A request to train on a text."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    text: str
    cell: str = "lstm"
    hidden: int = Field(default=256, ge=1, le=4096)
    layers: int = Field(default=1, ge=1, le=8)
    tokens: str = "char"
    minutes: float = Field(default=5, gt=0, le=24 * 60)


@router.get("")
def every(request: Request) -> list[dict[str, Any]]:
    """List all runs, the most recently changed first."""
    store, trainings = request.app.state.store, request.app.state.trainings
    names = store.names()
    found = [_summary(store, name, trainings) for name in names]
    starting = [one for one in trainings.starting() if one["name"] not in names]
    return starting + sorted(found, key=lambda one: -one["changed"])


@router.get("/views/{run:path}")
def views(run: str, request: Request) -> tuple[str, ...]:
    """Return the views that show the run's kind."""
    return kind_of(read_config(request.app.state.store.path(run))).views


@router.get("/config/{run:path}")
def config(run: str, request: Request) -> Answer:
    """Return the run's config.json."""
    path = request.app.state.store.path(run)
    found: dict[str, Any] = read_config(path)
    try:
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}") from error
    return Answer(found)


@router.get("/curve/{run:path}")
def curve(run: str, request: Request, offset: int = 0) -> dict[str, Any]:
    """Return records of metrics.jsonl from a byte on, and the byte to continue from."""
    path = request.app.state.store.path(run) / METRICS
    if not path.exists():
        return {"records": [], "offset": 0}
    try:
        with open_regular(path) as file:
            begin = offset if _is_line(file, offset) else 0
            file.seek(begin)
            data = file.read(MOST_READ)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    whole = data[: data.rfind(b"\n") + 1]
    records = list(_records(whole))
    return {"records": records, "offset": begin + len(whole), "restart": begin != offset}


@router.post("/start")
def start(wanted: Wanted, request: Request) -> dict[str, str]:
    """Start training a language model on a text."""
    if not wanted.text.strip():
        raise DataError("there is no text to train on: drop a file or paste a text")
    given = wanted.model_dump(exclude={"name", "text", "minutes"})
    options = {**given, "max_minutes": wanted.minutes, "eval_every": 100}
    TEXT.options.merge(options)  # checks them
    request.app.state.store.cell(wanted.cell)
    name = request.app.state.store.name(wanted.name)
    request.app.state.trainings.start(name, wanted.text, options)
    return {"name": name}


@router.post("/stop/{run:path}")
def stop(run: str, request: Request) -> dict[str, str]:
    """Ask a training that the studio started to save and stop."""
    name = request.app.state.store.name(run)
    request.app.state.trainings.stop(name)
    return {"name": name}


@router.post("/resume/{run:path}")
def resume(run: str, request: Request) -> dict[str, str]:
    """Resume a run that was stopped."""
    store = request.app.state.store
    name, path = store.name(run), store.path(run)
    config = read_config(path)
    if config["task"].get("kind", "language") != "language":
        raise ConfigError("the studio resumes language models: use `unspool train ... --resume`")
    options = _as_long_again(config["training"], _last(path / METRICS))
    cell = config["model"].get("cell")
    if is_own(cell):
        store.cell(cell)
        options["cell"] = cell
    request.app.state.trainings.resume(name, options)
    return {"name": name}


def _summary(store: Any, name: str, trainings: Any) -> dict[str, Any]:
    """Return a row of the list; if something is wrong with a run, its row says so."""
    try:
        return _described(store.path(name), name, trainings)
    except (UnspoolError, OSError) as error:  # damaged, or removed since it was listed
        wrong = str(error)
    except Exception as error:  # an untrusted run may have anything in its files
        wrong = f"{name} is damaged: {error!r:.200}"
    return {"name": printable(name), "error": wrong, "changed": 0}


def _described(path: Path, name: str, trainings: Any) -> dict[str, Any]:
    if name.encode(errors="replace").decode() != name:
        raise RunError("its name is not UTF-8: rename the folder")
    read = read_config(path)
    model, task = read["model"], read["task"]
    metrics = path / METRICS
    return {
        "name": name,
        "kind": _told(model, "kind", str, "language"),
        "views": kind_of(read).views,
        "cell": _told(model, "cell", str),
        "hidden_size": _told(model, "hidden_size", int),
        "num_layers": _told(model, "num_layers", int, 1),
        "tokens": _tokens(path),
        "data": {
            key: _told(task, key, (int, float))
            for key in task
            if key.startswith(("train_", "val_"))
        },
        "has_weights": (path / MODEL).exists(),
        "changed": (metrics if metrics.exists() else path).stat().st_mtime,
        **_last(metrics),
        **trainings.status(name, path),
    }


def _told(part: dict[str, Any], key: str, kinds: Any, missing: Any = None) -> Any:
    """Return a value of config.json. Raises RunError if its type is wrong, or it is too large."""
    value = part.get(key, missing)
    if value is None or (isinstance(value, str) and isinstance(value, kinds)):
        return value
    if not isinstance(value, kinds) or not _is_number(value):
        raise RunError(f"config.json is damaged: {key} is {value!r:.60}")
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= LARGEST
    return isinstance(value, float) and isfinite(value)


def _as_long_again(training: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """Return higher limits for a run that has reached its own."""
    try:
        minutes = float(training.get("max_minutes") or 0)
        steps = int(training.get("max_steps") or (0 if minutes else DEFAULT_MAX_STEPS))
        step, elapsed = int(last.get("step", 0)), float(last.get("elapsed_s", 0)) / 60
    except (TypeError, ValueError, OverflowError) as error:
        raise RunError(f"the run's limits cannot be read: {error}") from error
    over = (steps and step >= steps) or (minutes and elapsed >= minutes)
    if not over:
        return {}
    later = {"max_steps": steps and step + steps, "max_minutes": minutes and elapsed + minutes}
    return {name: value for name, value in later.items() if value}


def _tokens(path: Path) -> str | None:
    """Return the kind of the vocabulary, for models that read text."""
    for name in VOCABULARY_FILES:
        if (path / name).exists():
            return _kind(path / name, (path / name).stat().st_mtime_ns)
    return None


@lru_cache(maxsize=256)
def _kind(path: Path, changed: int) -> str | None:
    found = read_json(path, RunError)
    return _told(found, "kind", str, "bpe") if isinstance(found, dict) else None


def _last(path: Path) -> dict[str, Any]:
    """Return step, losses and time of the last records."""
    if not path.exists():
        return {}
    with open_regular(path) as file:
        file.seek(max(0, path.stat().st_size - 64_000))
        data = file.read()
    found: dict[str, Any] = {}
    for record in _records(data):
        for key in ("step", "loss_nats", "val_loss_nats", "elapsed_s", "parameters"):
            if _is_number(record.get(key)):
                found[key] = record[key]
    return found


def _records(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the records of lines; incomplete ones are left out."""
    for line in data.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield {key: _plain(value) for key, value in record.items()}


def _plain(value: Any) -> Any:
    """Return a record's value if the page can use it: numbers, strings, lists of strings; else
    None.
    """
    if isinstance(value, bool | str):
        return value
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return value if _is_number(value) else None


def _is_line(file: BinaryIO, offset: int) -> bool:
    """Say whether a line begins at `offset`: a resumed run may have been cut back."""
    if offset < 1 or offset > file.seek(0, SEEK_END):
        return offset == 0
    file.seek(offset - 1)
    return file.read(1) == b"\n"
