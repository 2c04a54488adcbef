"""The files of a folder: one walk with one rule for all commands."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from .. import files
from ..errors import DataError
from .left_out import LeftOut
from .text_files import read_pieces, why_left_out

# Entries of a run directory besides hidden files; a text may be in the same folder.
_RUN_FILES = files.RUN_FILES | files.RUN_FOLDERS


def walk_files(folder: Path, left_out: LeftOut | None = None) -> list[Path]:
    """Return all files below `folder`, by name, each real file and real folder once.

    Left out, and counted in `left_out`, are hidden files and folders, run directories of Unspool
    (in `folder` itself, the run's files), pipes, devices and dangling links, links to a file that
    is there anyway, and FILE.gz if there is FILE. Raises DataError if a folder cannot be read.
    """
    left_out = LeftOut() if left_out is None else left_out
    found = list(_walk(folder, folder, {folder.resolve()}, left_out))
    named = {key for path, key in found if not path.is_symlink()}
    kept: dict[tuple[int, int], Path] = {}
    for path, key in found:
        if key in kept or (path.is_symlink() and key in named):
            left_out.add("links to files that are read already", _name(folder, path))
        else:
            kept[key] = path
    return list(kept.values())


def walk_texts(folder: Path, left_out: LeftOut) -> list[Path]:
    """Return the files of `walk_files` that can be read as text to their end."""
    texts = []
    for path in walk_files(folder, left_out):
        try:
            deque(read_pieces(path), maxlen=0)
            texts.append(path)
        except DataError as error:
            left_out.add(why_left_out(error), _name(folder, path))
    return texts


def _walk(
    root: Path, folder: Path, seen: set[Path], left_out: LeftOut
) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield every regular file and its identity."""
    is_run = files.is_run(folder)
    for entry in _entries(folder):
        name = _name(root, entry)
        if entry.name == ".lock" or entry.name.startswith(".starting."):
            continue  # part of a run that is being written
        if entry.name.startswith("."):
            left_out.add("hidden files and folders", name)
        elif entry.suffix.lower() == ".gz" and entry.with_suffix("").is_file():
            left_out.add("compressed files that are also there unpacked", name)
        elif is_run and entry.name in _RUN_FILES:
            left_out.add("files of a run", name)
        elif entry.is_dir():
            if files.is_run(entry):
                left_out.add("run directories", name)
            elif (real := entry.resolve()) not in seen:
                seen.add(real)
                yield from _walk(root, entry, seen, left_out)
        elif entry.is_file():
            found = entry.stat()
            yield entry, (found.st_dev, found.st_ino)
        else:
            left_out.add("dangling links, pipes and devices", name)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from error


def _name(root: Path, path: Path) -> str:
    return os.path.relpath(path, root)
