"""A run directory: what training writes and everything else reads.

config.json                what the run is: model, task, training options
vocab.json, tokenizer.json the vocabulary (one of the two)
model.safetensors          the best weights so far
train-state.safetensors    all that resuming needs
metrics.jsonl              one JSON record a line
samples.txt                the sample of every evaluation
data/                      the text as token ids (command line only)
"""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from ..errors import RunError
from ..files import read_json, write_error, write_json

FORMAT_VERSION = 1
CONFIG, MODEL, STATE = "config.json", "model.safetensors", "train-state.safetensors"
METRICS, SAMPLES, LOCK = "metrics.jsonl", "samples.txt", ".lock"
_OWN = (MODEL, STATE, METRICS, SAMPLES, "vocab.json", "tokenizer.json")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the run directory for training; the lock goes with the process, however it ends.

    Raises RunError where another process is training there.
    """
    is_new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path / LOCK)
        lock.acquire(timeout=0.2)  # whoever looks if it is held, holds it for a moment
        for stale in (*path.glob(".*.tmp"), *path.glob("*/.*.tmp")):
            stale.unlink()  # half a file of a process that was killed
    except filelock.Timeout as error:
        raise RunError(f"{path} is in use by another training process") from error
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield
    finally:
        lock.release()
        if is_new and {entry.name for entry in path.iterdir()} <= {LOCK}:
            shutil.rmtree(path, ignore_errors=True)


def write_config(path: Path, config: dict[str, Any]) -> None:
    """Write config.json, which makes the directory a run."""
    write_json(path / CONFIG, {"format_version": FORMAT_VERSION, **config})


def check_free(path: Path, names: tuple[str, ...] = ()) -> None:
    """Raise RunError where `path` holds a run, files that a run or `names` would overwrite,
    or is no directory. What an interrupted start left behind may be overwritten.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file: a run needs a directory of its own")
    if (path / CONFIG).exists():
        raise RunError(f"{path} already holds a run: resume it or choose another directory")
    taken = [name for name in (*_OWN, *names) if (path / name).exists()]
    if taken and not (path / LOCK).exists():
        raise RunError(
            f"{path / taken[0]} is in the way: a run needs a directory of its own, "
            "as in --run runs/mine"
        )


def read_config(path: Path) -> dict[str, Any]:
    """Read config.json, or raise RunError with what is wrong."""
    if not (path / CONFIG).exists():
        raise RunError(f"{path} is not a run directory: it has no {CONFIG}")
    config = read_json(path / CONFIG, RunError)
    if not isinstance(config, dict) or not isinstance(config.get("format_version"), int):
        raise RunError(f"{path / CONFIG} is damaged: it has no format_version")
    if config["format_version"] > FORMAT_VERSION:
        raise RunError(
            f"{path} was written by a newer Unspool (format {config['format_version']}, "
            f"this one reads up to {FORMAT_VERSION}): upgrade unspool"
        )
    missing = [
        key for key in ("model", "task", "training") if not isinstance(config.get(key), dict)
    ]
    if missing:
        raise RunError(f"{path / CONFIG} is damaged: {', '.join(missing)} missing")
    return config


class Journal:
    """The two files that training appends to, cut back to the last save on resume."""

    def __init__(self, path: Path, sizes: dict[str, int] | None = None) -> None:
        self._files = {name: path / name for name in (METRICS, SAMPLES)}
        for name, file in self._files.items():
            _cut(file, (sizes or {}).get(name, 0))

    def record(self, **values: Any) -> None:
        """One line of metrics.jsonl; a number that is not finite, which JSON lacks, is null."""
        values = {k: None if _is_not_finite(v) else v for k, v in values.items()}
        self._append(METRICS, json.dumps(values) + "\n")

    def sample(self, step: int, loss_nats: float, text: str) -> None:
        """One entry of samples.txt."""
        self._append(SAMPLES, f"--- step {step}, held-out loss {loss_nats:.4f} nats\n{text}\n\n")

    def sync(self) -> dict[str, int]:
        """Force both files to disk and return their sizes."""
        sizes = {}
        for name, path in self._files.items():
            try:
                with open(path, "ab") as file:
                    os.fsync(file.fileno())
                    sizes[name] = file.tell()
            except OSError as error:
                raise write_error(path, error) from error
        return sizes

    def _append(self, name: str, text: str) -> None:
        try:
            with open(self._files[name], "ab") as file:
                file.write(text.encode("utf-8", errors="replace"))
        except OSError as error:
            raise write_error(self._files[name], error) from error


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _cut(path: Path, size: int) -> None:
    try:
        with open(path, "ab") as file:
            if file.tell() < size:
                raise RunError(f"{path} is damaged: it is shorter than at the last save")
            file.truncate(size)
    except OSError as error:
        raise write_error(path, error) from error
