"""Decide who may write a run directory, and create runs completely or not at all."""

import contextlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from ..errors import RunError
from ..files import RUN_FILES, RUN_FOLDERS, is_run, sync_directory, temporaries, write_error
from .directory import CONFIG, LOCK, check_real, scan

_BEGINNING = re.compile(r"\.starting\.\d+\.[0-9a-f]{8}")
_ATTEMPTS = 100  # to lock a directory that other starts make and remove at the same time


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the run directory during training; it ends with the process in any case.

    Removes the run's own files that a killed process left unfinished. Raises RunError if another
    process is training there, or if the directory or its lock is a link.
    """
    is_new = not os.path.lexists(path)
    had_lock = os.path.lexists(path / LOCK)
    lock = _acquire(path)
    try:
        _tidy(path)
        yield
    finally:
        if not (had_lock or (path / CONFIG).exists()):
            (path / LOCK).unlink(missing_ok=True)  # a failed start leaves nothing
        lock.release()
        if is_new:
            with contextlib.suppress(OSError):  # not empty: another start is here already
                path.rmdir()


def _acquire(path: Path) -> filelock.BaseFileLock:
    """Lock the directory; create it if it is missing."""
    for attempt in range(_ATTEMPTS):
        try:
            _check_directory(path)
            path.mkdir(parents=True, exist_ok=True)
            _check_lock(path / LOCK)
            lock = filelock.FileLock(path / LOCK)
            lock.acquire(timeout=0.2)  # a process that checks the lock holds it for a moment
            return lock
        except filelock.Timeout as error:
            raise RunError(f"{path} is in use by another training process") from error
        except OSError as error:
            # A failed start may just have removed the directory.
            if not isinstance(error, FileNotFoundError) or attempt + 1 == _ATTEMPTS:
                raise write_error(path, error) from error
    raise AssertionError("unreachable")


def is_locked(path: Path) -> bool:
    """Say whether a process trains in the directory; open nothing but a lock of ours."""
    try:
        _check_lock(path / LOCK)
        if not (path / LOCK).exists():
            return False
        with filelock.FileLock(path / LOCK).acquire(timeout=0):
            return False
    except RunError:  # what training refuses cannot be held by training
        return False
    except (filelock.Timeout, OSError):
        return True


def _check_directory(path: Path) -> None:
    """Raise RunError if `path` exists and is not a directory."""
    if path.is_symlink():
        raise RunError(f"{path} is a link", "name the directory that it points to")
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file: a run needs a directory of its own")


def _check_lock(lock: Path) -> None:
    """Raise RunError unless the lock is an empty file, which can be opened without harm."""
    if os.path.lexists(lock):
        found = os.lstat(lock)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size:
            raise RunError(
                f"{lock} is not an empty file without links, as the lock of a run is",
                "remove it if no training is using it, or choose another directory",
            )


def _tidy(path: Path) -> None:
    """Remove what a killed process left: a half-written file of a run, or an unfinished start."""
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

    Each published file is a second link to the one in `folder`, which is removed last. So at
    whatever instant a process is killed, the next start knows its own files by their inodes, and
    removes only these.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / f".starting.{os.getpid()}.{secrets.token_hex(4)}"

    def publish(self) -> None:
        """Move all files to the run directory, config.json last, which makes it a run."""
        check_free(self.path)
        names = sorted(_relative_files(self.folder), key=lambda name: name == Path(CONFIG))
        try:
            for name in names:
                parent = (self.path / name).parent
                parent.mkdir(parents=True, exist_ok=True)
                _link(self.folder / name, self.path / name)
                sync_directory(parent)  # config.json reaches the disk last, too
        except OSError as error:
            raise write_error(self.path, error) from error
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def beginning(path: Path) -> Iterator[Beginning]:
    """Prepare a new run in `path`, which is `locked`; without `publish` nothing of it remains."""
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
    """Remove an unfinished start, and its own files in `path`."""
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
    """Say whether both are the same regular file; a link differs from what it points to."""
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


def check_start(path: Path) -> None:
    """Raise RunError if no run can be started in `path`; see `check_free`.

    Files beside an unfinished beginning may be its own: `locked` will tell.
    """
    unfinished = path.is_dir() and any(_BEGINNING.fullmatch(entry.name) for entry in scan(path))
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
