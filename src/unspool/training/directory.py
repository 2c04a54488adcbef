"""A run directory: what training writes and everything else reads.

config.json                what the run is: model, task, training options
vocab.json, tokenizer.json the vocabulary (one of the two)
model.safetensors          the best weights so far
train-state.safetensors    everything that resuming needs
metrics.jsonl              one JSON record per line
samples.txt                the sample of every evaluation
data/                      the text as token ids (command line only)
"""

import json
import math
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import RunError, UnspoolError
from ..files import (
    RUN_FOLDERS,
    appending,
    read_json,
    write_error,
    write_json,
)
from ..limits import MAX_CONFIG_BYTES

FORMAT_VERSION = 2  # format 1 had other rules for rates, averages and lanes
CONFIG, MODEL, STATE = "config.json", "model.safetensors", "train-state.safetensors"
METRICS, SAMPLES, LOCK = "metrics.jsonl", "samples.txt", ".lock"
DATA = "data"
SECTIONS = ("model", "task", "training")  # of config.json


def check_real(path: Path) -> None:
    """Raise RunError if a run has a link, a pipe or a device, which is not data.

    Checks the directory and a run's own folders in it, no other folders.
    """
    for entry in scan(path):
        if entry.is_dir(follow_symlinks=False):
            if entry.name in RUN_FOLDERS:
                check_real(Path(entry.path))
        elif not entry.is_file(follow_symlinks=False):
            what = "a link" if entry.is_symlink() else "not a regular file"
            raise RunError(f"{entry.path} is {what}, which a run must not have: remove it")


def scan(path: Path) -> list[os.DirEntry[str]]:
    """List the entries of a directory by name. Raises RunError if it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error


def write_config(path: Path, config: dict[str, Any]) -> None:
    """Write config.json, which makes the directory a run."""
    write_json(path / CONFIG, {"format_version": FORMAT_VERSION, **config})


def read_config(path: Path) -> dict[str, Any]:
    """Read config.json. Raises RunError if it is missing or damaged."""
    if not os.path.lexists(path / CONFIG):
        raise RunError(f"{path} is not a run directory: it has no {CONFIG}")
    check_real(path)
    config = read_json(path / CONFIG, RunError, MAX_CONFIG_BYTES)
    if not isinstance(config, dict) or type(config.get("format_version")) is not int:
        raise RunError(f"{path / CONFIG} is damaged: it has no format_version")
    if config["format_version"] > FORMAT_VERSION:
        raise RunError(
            f"{path} was written by a newer Unspool (format {config['format_version']}, "
            f"this one reads up to {FORMAT_VERSION}): upgrade unspool"
        )
    missing = [key for key in SECTIONS if not isinstance(config.get(key), dict)]
    if missing:
        raise RunError(f"{path / CONFIG} is damaged: {', '.join(missing)} missing")
    for key in SECTIONS:
        if not isinstance(config[key].get("kind", ""), str):
            raise RunError(f"{path / CONFIG} is damaged: the kind of its {key} must be a string")
    return config


def read_data(path: Path, config: dict[str, Any], open: Callable[[Path], Any]) -> Any:
    """Return the data that the run in `path` was trained on, which `open` reads from its folder.

    Raises RunError if the data does not match config.json.
    """
    try:
        data = open(path / DATA)
        found = data.fingerprint()
    except UnspoolError:
        raise
    except Exception as error:  # values of the wrong type may raise anything
        raise RunError(f"{path / DATA} is damaged: {error!r}") from error
    task = config["task"]
    wanted = task.get("text_sha256", task.get("data_sha256"))
    if wanted is not None and found != wanted:
        raise RunError(
            f"{path / DATA} is not the data that the run was trained on",
            "restore it, or name a file",
        )
    return data


class Journal:
    """The two files that training appends to, cut back to the last save on resume.

    `missing` names files that existed at the last save and are gone: they start empty.
    """

    def __init__(self, path: Path, sizes: dict[str, int] | None = None) -> None:
        self._files = {name: path / name for name in (METRICS, SAMPLES)}
        sizes = {name: size for name, size in (sizes or {}).items() if operator.index(size) > 0}
        self.missing = [
            name for name in sizes if name in self._files and not os.path.lexists(path / name)
        ]
        for name, file in self._files.items():
            _cut(file, 0 if name in self.missing else sizes.get(name, 0))

    def record(self, **values: Any) -> None:
        """Append a line to metrics.jsonl, with null for numbers that are not finite."""
        values = {k: None if _is_not_finite(v) else v for k, v in values.items()}
        self._append(METRICS, json.dumps(values) + "\n")

    def sample(self, step: int, loss_nats: float, text: str) -> None:
        """Append an entry to samples.txt."""
        self._append(SAMPLES, f"--- step {step}, held-out loss {loss_nats:.4f} nats\n{text}\n\n")

    def sync(self) -> dict[str, int]:
        """Force both files to disk and return their sizes."""
        sizes = {}
        for name, path in self._files.items():
            try:
                with appending(path) as file:
                    os.fsync(file.fileno())
                    sizes[name] = file.tell()
            except OSError as error:
                raise write_error(path, error) from error
        return sizes

    def _append(self, name: str, text: str) -> None:
        try:
            with appending(self._files[name]) as file:
                file.write(text.encode("utf-8", errors="replace"))
        except OSError as error:
            raise write_error(self._files[name], error) from error


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _cut(path: Path, size: int) -> None:
    try:
        with appending(path) as file:
            if file.tell() < size:
                raise RunError(f"{path} is damaged: it is shorter than at the last save")
            file.truncate(size)
    except OSError as error:
        raise write_error(path, error) from error
