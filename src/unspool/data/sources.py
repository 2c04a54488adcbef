"""Read pieces of text from what the user names: files, folders, corpora, standard input."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from .corpora import CORPORA, corpus_files
from .folders import walk_files, walk_texts
from .left_out import LeftOut
from .text_files import (
    STANDARD_INPUT,
    NotTextError,
    as_file,
    check_exists,
    check_standard_input,
    read_lines,
    read_pieces,
    standard_input,
    unreadable,
)


@dataclass(frozen=True)
class Sources:
    """The files that make up a text, in order.

    `notes` say what was skipped. If `raw`, the files are read as bytes, whatever they contain;
    otherwise as text.
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
    """Find the files behind `names`; standard input is copied to a file first.

    A name is a file, a folder (see `walk_files`), "-", or a corpus. A string that names a corpus
    always means the corpus, so that a command does the same in every folder: for a file of that
    name write "./stdlib" or pass a `Path`.
    """
    if not names:
        raise DataError(f"no text is named: name a file, a folder, '-' or {' or '.join(CORPORA)}")
    check_standard_input(names)
    with as_file(STANDARD_INPUT) if STANDARD_INPUT in names else nullcontext():
        paths: list[Path] = []
        notes: list[str] = []
        for name in names:
            found, remarks = _expand(name, raw)
            paths += found
            notes += remarks
        yield Sources(tuple(map(str, names)), tuple(paths), tuple(notes), raw)


def read_all_lines(source: str | Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the lines of a file, of standard input ("-"), or of the texts of a folder one after
    the other, and notes on what was left out of the folder.
    """
    with as_file(source) as path:
        check_exists(path, "a file, a folder or a text")
        if not path.is_dir():
            return read_lines(path), ()
        found, notes = _folder_files(path, raw=False)
        return [line for file in found for line in read_lines(file)], tuple(notes)


def _expand(name: str | Path, raw: bool) -> tuple[list[Path], list[str]]:
    """Find the files behind one name; return notes too."""
    if name == STANDARD_INPUT:
        return [standard_input()], []
    if isinstance(name, str) and name in CORPORA:
        found, notes = corpus_files(name)
        shadowed = [f"{name} means the corpus; for the file or folder of that name write ./{name}"]
        return found, notes + (shadowed if Path(name).exists() else [])
    path = Path(name)
    try:
        if path.is_dir():
            return _folder_files(path, raw)
        path.stat()
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist", f"name a file, a folder, '-' or one of {', '.join(CORPORA)}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(path, error) from error
    return [path], []


def _folder_files(folder: Path, raw: bool) -> tuple[list[Path], list[str]]:
    left_out = LeftOut()
    texts = walk_files(folder, left_out) if raw else walk_texts(folder, left_out)
    notes = [f"{folder}: left out {note}" for note in left_out.notes()]
    if not texts:
        raise DataError(
            "; ".join([f"{folder} has no text files", *notes]),
            "name a file, or a folder with UTF-8 texts",
        )
    return texts, notes
