"""From what the user names (files, folders, corpora, standard input) to pieces of text."""

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from .corpora import CORPORA, corpus_files
from .folders import walk_files
from .left_out import LeftOut
from .text_files import (
    STANDARD_INPUT,
    NotTextError,
    is_text,
    read_pieces,
    spool_standard_input,
    unreadable,
)


@dataclass(frozen=True)
class Sources:
    """The files that make up a text, in order.

    `notes` say what was skipped. With `raw` the files are bytes, whatever they contain;
    otherwise text.
    """

    names: tuple[str, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    raw: bool

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[Any]:
        """Yield the files one after the other, as `cat` would join them, in pieces.

        `start` and `stop` cut out a part, in characters (bytes if raw).
        """
        position = 0
        for path in self.files:
            for piece in self._read(path):
                end = None if stop is None else stop - position
                part = piece[max(start - position, 0) : end]
                position += len(piece)
                if part:
                    yield part
                if stop is not None and position >= stop:
                    return

    def _read(self, path: Path) -> Iterator[Any]:
        try:
            yield from read_pieces(path, raw=self.raw)
        except NotTextError as error:
            error.options["tokens=byte"] = "use byte tokens ({})"
            raise


@contextmanager
def open_sources(names: Sequence[str | Path], raw: bool = False) -> Iterator[Sources]:
    """Find the files behind `names`; standard input is spooled to a file until the end.

    A name is a file, a folder (see `walk_files`), "-", or a corpus. A string that is the name of
    a corpus always means the corpus, so that a command does the same in every folder: for a file
    of that name write "./stdlib" or give a `Path`.
    """
    if not names:
        raise DataError(f"no text was given: name a file, a folder, '-' or {' or '.join(CORPORA)}")
    if list(names).count(STANDARD_INPUT) > 1:
        raise DataError("'-' (standard input) can be given only once")
    with tempfile.TemporaryDirectory(prefix="unspool-") as spool:
        paths: list[Path] = []
        notes: list[str] = []
        for name in names:
            found, remarks = _expand(name, raw, Path(spool))
            paths += found
            notes += remarks
        yield Sources(tuple(map(str, names)), tuple(paths), tuple(notes), raw)


def _expand(name: str | Path, raw: bool, spool: Path) -> tuple[list[Path], list[str]]:
    """The files behind one name, and notes."""
    if name == STANDARD_INPUT:
        return [spool_standard_input(spool / "stdin")], []
    if isinstance(name, str) and name in CORPORA:
        found, notes = corpus_files(name)
        shadowed = [f"{name} means the corpus; for the file or folder here write ./{name}"]
        return found, notes + (shadowed if Path(name).exists() else [])
    path = Path(name)
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return _folder_files(path, raw)
    if not stat.S_ISREG(mode):
        raise DataError(f"{path} is a pipe or device: save it as a file, or pipe it into '-'")
    return [path], []


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist", f"give a file, a folder, '-' or one of {', '.join(CORPORA)}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(path, error) from error


def _folder_files(folder: Path, raw: bool) -> tuple[list[Path], list[str]]:
    left_out, texts = LeftOut(), []
    for path in walk_files(folder, left_out):
        if raw or is_text(path):
            texts.append(path)
        else:
            left_out.add("files that are not text", os.path.relpath(path, folder))
    notes = [f"{folder}: left out {note}" for note in left_out.notes()]
    if not texts:
        raise DataError(
            "; ".join([f"{folder} has no text files", *notes]),
            "give a file, or a folder with UTF-8 texts",
        )
    return texts, notes
