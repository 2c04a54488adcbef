"""A run directory: what training writes and everything else reads.

config.json                what the run is: model, task, training options
vocab.json, tokenizer.json the vocabulary (one of the two)
model.safetensors          the best weights so far
train-state.safetensors    all that resuming needs
metrics.jsonl              one JSON record a line
samples.txt                the sample of every evaluation
data/                      the text as token ids (command line only)
"""

import contextlib
import json
import math
import operator
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from ..errors import RunError, UnspoolError
from ..files import (
    RUN_FILES,
    RUN_FOLDERS,
    appending,
    is_run,
    read_json,
    temporaries,
    write_error,
    write_json,
)
from ..limits import MAX_CONFIG_BYTES

FORMAT_VERSION = 1
CONFIG, MODEL, STATE = "config.json", "model.safetensors", "train-state.safetensors"
METRICS, SAMPLES, LOCK = "metrics.jsonl", "samples.txt", ".lock"
DATA, OPTIONS = "data", "options.toml"
SECTIONS = ("model", "task", "training")  # of config.json
_BEGINNING = re.compile(r"\.starting\.\d+\.[0-9a-f]{8}")
_ATTEMPTS = 100  # to lock a directory that other starts make and remove at the same time


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the run directory for training; the lock goes with the process, however it ends.

    What a killed process left unfinished of the run's own files is removed. Raises RunError if
    another process is training there, or if the directory or its lock is a link.
    """
    is_new = not os.path.lexists(path)
    had_lock = os.path.lexists(path / LOCK)
    lock = _acquire(path)
    try:
        _tidy(path)
        yield
    finally:
        if not (had_lock or (path / CONFIG).exists()):
            (path / LOCK).unlink(missing_ok=True)  # of a start that failed nothing stays
        lock.release()
        if is_new:
            with contextlib.suppress(OSError):  # not empty: another start is here already
                path.rmdir()


def _acquire(path: Path) -> filelock.BaseFileLock:
    """Lock the directory, which is made if it is missing."""
    for _ in range(_ATTEMPTS):
        try:
            _check_directory(path)
            path.mkdir(parents=True, exist_ok=True)
            _check_lock(path / LOCK)
            lock = filelock.FileLock(path / LOCK)
            lock.acquire(timeout=0.2)  # whoever looks if it is held, holds it for a moment
            return lock
        except FileNotFoundError:  # a start that failed has just removed the directory
            continue
        except filelock.Timeout:
            break
        except OSError as error:
            raise write_error(path, error) from error
    raise RunError(f"{path} is in use by another training process")


def is_locked(path: Path) -> bool:
    """Whether a process trains in the directory. Nothing but a lock of ours is opened."""
    try:
        _check_lock(path / LOCK)
        if not (path / LOCK).exists():
            return False
        with filelock.FileLock(path / LOCK).acquire(timeout=0):
            return False
    except RunError:  # what training refuses, no training holds
        return False
    except (filelock.Timeout, OSError):
        return True


def _check_directory(path: Path) -> None:
    """Raise RunError if `path` is something else than a directory."""
    if path.is_symlink():
        raise RunError(f"{path} is a link", "name the directory that it points to")
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file: a run needs a directory of its own")


def _check_lock(lock: Path) -> None:
    """Raise RunError unless the lock can be opened to write without harm: it is empty."""
    if os.path.lexists(lock):
        found = os.lstat(lock)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size:
            raise RunError(
                f"{lock} is not an empty file without links, as the lock of a run is",
                "remove it if no training is using it, or choose another directory",
            )


def _tidy(path: Path) -> None:
    """Remove what a killed process left: half a file of a run, or an unfinished beginning."""
    try:
        for entry in list(path.iterdir()):
            if _BEGINNING.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
                _undo(entry, path)
        if is_run(path):
            for stale in temporaries(path, RUN_FILES):
                stale.unlink()
    except OSError as error:
        raise write_error(path, error) from error


class Beginning:
    """A run that does not exist yet: its files are written to `folder`, then published.

    Each published file is a second link to the one in `folder`, which goes last. So whatever the
    instant at which a process is killed, the next start knows by their inodes which files are
    its own and removes these alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / f".starting.{os.getpid()}.{secrets.token_hex(4)}"

    def publish(self) -> None:
        """Move all files to the run directory, config.json last: now it is a run."""
        check_free(self.path)
        names = sorted(_relative_files(self.folder), key=lambda name: name == Path(CONFIG))
        try:
            for name in names:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                _link(self.folder / name, self.path / name)
        except OSError as error:
            raise write_error(self.path, error) from error
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def beginning(path: Path) -> Iterator[Beginning]:
    """Prepare a new run in `path`, which is `locked`; without `publish` nothing of it stays."""
    check_free(path)
    begun = Beginning(path)
    try:
        begun.folder.mkdir(mode=0o700)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield begun
    finally:
        if begun.folder.exists():
            _undo(begun.folder, path)


def _undo(folder: Path, path: Path) -> None:
    """Remove an unfinished beginning, and of `path` the files that are its own."""
    if not (path / CONFIG).exists():
        parents = {path}
        for name in _relative_files(folder):
            if name.parts[0] in RUN_FILES | RUN_FOLDERS and _is_same_file(
                folder / name, path / name
            ):
                (path / name).unlink()
                parents.add((path / name).parent)
        for parent in sorted(parents - {path}, reverse=True):
            if not any(parent.iterdir()):
                parent.rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def _is_same_file(one: Path, other: Path) -> bool:
    """Whether both are the same regular file; a link is another than what it points to."""
    try:
        found = os.lstat(one)
        return stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.lstat(other))
    except OSError:
        return False


def _relative_files(folder: Path) -> list[Path]:
    return [file.relative_to(folder) for file in folder.rglob("*") if not file.is_dir()]


def _link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`; FileExistsError if there is one already."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.rename(source, target)


def check_real(path: Path) -> None:
    """Raise RunError if a run has a link, a pipe or a device, which is not data.

    Looked at are the directory and the folders of a run in it; other folders are none of its own.
    """
    for entry in _scan(path):
        if entry.is_dir(follow_symlinks=False):
            if entry.name in RUN_FOLDERS:
                check_real(Path(entry.path))
        elif not entry.is_file(follow_symlinks=False):
            what = "a link" if entry.is_symlink() else "no regular file"
            raise RunError(f"{entry.path} is {what}, which a run must not have: remove it")


def _scan(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error


def write_config(path: Path, config: dict[str, Any]) -> None:
    """Write config.json, which makes the directory a run."""
    write_json(path / CONFIG, {"format_version": FORMAT_VERSION, **config})


def check_start(path: Path) -> None:
    """Raise RunError if no run can be started in `path`; see `check_free`.

    Files beside an unfinished beginning may be its own: `locked` will tell.
    """
    unfinished = path.is_dir() and any(_BEGINNING.fullmatch(entry.name) for entry in _scan(path))
    if not unfinished:
        check_free(path)


def check_free(path: Path) -> None:
    """Raise RunError if `path` holds a run, or files that a run would overwrite, or links, or is
    no directory.
    """
    _check_directory(path)
    if (path / CONFIG).exists():
        raise RunError(f"{path} already holds a run: resume it or choose another directory")
    taken = [name for name in sorted(RUN_FILES | RUN_FOLDERS) if os.path.lexists(path / name)]
    if taken:
        raise RunError(
            f"{path / taken[0]} is in the way: a run needs a directory of its own, "
            "such as runs/mine"
        )
    if path.exists():
        check_real(path)


def read_config(path: Path) -> dict[str, Any]:
    """Read config.json, or raise RunError with what is wrong."""
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
            raise RunError(f"{path / CONFIG} is damaged: the kind of its {key} must be a text")
    return config


def read_data(path: Path, config: dict[str, Any], open: Callable[[Path], Any]) -> Any:
    """The data that the run in `path` was trained on, which `open` reads from its folder.

    Raises RunError if it is another than config.json says.
    """
    try:
        data, task = open(path / DATA), config["task"]
    except UnspoolError:
        raise
    except Exception as error:  # values of other types may raise anything at all
        raise RunError(f"{path / DATA} is damaged: {error!r}") from error
    wanted = task.get("text_sha256", task.get("data_sha256"))
    if wanted is not None and data.fingerprint() != wanted:
        raise RunError(
            f"{path / DATA} is not the data that the run was trained on",
            "restore it, or name a file",
        )
    return data


class Journal:
    """The two files that training appends to, cut back to the last save on resume.

    `missing` names those that were there at the last save and are gone: they begin again.
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
