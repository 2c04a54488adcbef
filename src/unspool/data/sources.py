"""From what the user names (files, folders, corpora, standard input) to pieces of text."""

import codecs
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..errors import DataError
from .corpora import CORPORA, corpus_files

_BLOCK_BYTES = 1 << 20  # at least the 3 bytes of a BOM
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Sources:
    """The files that make up a text, in order.

    `notes` say what was skipped. With `raw` the files are bytes, whatever they contain;
    otherwise UTF-8 text.
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
            for piece in read_pieces(path, raw=self.raw):
                end = None if stop is None else stop - position
                part = piece[max(start - position, 0) : end]
                position += len(piece)
                if part:
                    yield part
                if stop is not None and position >= stop:
                    return


@contextmanager
def open_sources(names: Sequence[str | Path], raw: bool = False) -> Iterator[Sources]:
    """Find the files behind `names`; standard input is spooled to a file until the end.

    A name is a file, a folder (its files in sorted order, without hidden ones), "-", or a
    corpus. A string that is the name of a corpus always means the corpus, so that a command
    does the same in every folder: for a file of that name write "./stdlib" or give a `Path`.
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


def read_pieces(path: Path, *, raw: bool = False) -> Iterator[Any]:
    """Yield a file in pieces of a megabyte: str, decoded from UTF-8, or bytes if `raw`.

    A byte order mark is dropped from text; newlines are kept as they are. Raises `DataError`
    for bad UTF-8 (with its offset), NUL characters and files that cannot be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    for offset, block in _blocks(path):
        if raw:
            yield block
            continue
        pending = len(decoder.getstate()[0])
        start = 3 if offset == 0 and block.startswith(codecs.BOM_UTF8) else 0
        try:
            text = decoder.decode(block[start:], final=not block)
        except UnicodeDecodeError as error:
            bad = offset - pending + start + error.start
            raise DataError(
                f"{path} is not UTF-8 text (bad byte at offset {bad}): "
                "convert it (iconv -t UTF-8) or use byte tokens (--tokens byte)"
            ) from error
        if "\0" in text:
            raise DataError(
                f"{path} looks binary (it has NUL characters): "
                "give a text, or use byte tokens (--tokens byte)"
            )
        yield text


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, block) up to and including the empty block at the end of the file."""
    offset = 0
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield offset, block
                offset += len(block)
        yield offset, b""
    except OSError as error:
        raise _unreadable(path, error) from error


def _expand(name: str | Path, raw: bool, spool: Path) -> tuple[list[Path], list[str]]:
    """The files behind one name, and notes."""
    if name == STANDARD_INPUT:
        return [_spool_standard_input(spool / "stdin")], []
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
            f"{path} does not exist: give a file, a folder, '-' or one of {', '.join(CORPORA)}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(path, error) from error


def _folder_files(folder: Path, raw: bool) -> tuple[list[Path], list[str]]:
    found = list(walk_files(folder))
    texts = [path for path in found if path.is_file() and (raw or _is_text(path))]
    if not texts:
        raise DataError(f"{folder} has no text files: give a file, or a folder with UTF-8 texts")
    skipped = [path for path in found if path not in set(texts)]
    if not skipped:
        return texts, []
    return texts, [
        f"{folder}: skipped {len(skipped)} of {len(found)} files that are not UTF-8 text "
        f"(the first is {skipped[0]})"
    ]


def walk_files(folder: Path, seen: set[Path] | None = None) -> Iterator[Path]:
    """Yield all files below `folder`, sorted, without hidden ones; each real folder once, as
    links may loop.
    """
    seen = {folder.resolve()} if seen is None else seen
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            yield entry
        elif (real := entry.resolve()) not in seen:
            seen.add(real)
            yield from walk_files(entry, seen)


def _is_text(path: Path) -> bool:
    try:
        for _ in read_pieces(path):
            pass
    except DataError:
        return False
    return True


def _spool_standard_input(path: Path) -> Path:
    """Copy standard input to `path`, as a text is read more than once."""
    if sys.stdin is None:
        raise DataError("'-' was given, but there is no standard input")
    try:
        with open(path, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except OSError as error:
        raise files.write_error(path, error) from error
    return path


def _unreadable(path: Path, error: OSError | ValueError) -> DataError:
    return DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}")
