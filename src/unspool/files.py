"""Files that are either the old version or the new one, never half of each."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import DataError, UnspoolError


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success fsync it and rename it onto `path`.

    A process killed at any instant leaves the old file or the new one. On an error (a
    full disk, an exception in the body) the temporary file is removed and the old file
    stays; `OSError` becomes an `UnspoolError` that names the file.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_error(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def link(source: Path, path: Path) -> None:
    """Make `path` the same file as `source`, or a copy of it where it cannot be."""
    Path(path).unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:  # another file system, or one without links
        with open(source, "rb") as old, atomic_writer(path) as new:
            shutil.copyfileobj(old, new)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_writer(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # A file name that is not UTF-8 has lone surrogates; \udcNN is their form in JSON.
    write_bytes(path, text.encode(errors="backslashreplace"))


def read_json(path: Path, error: Callable[[str], UnspoolError] = DataError) -> Any:
    """Read JSON from `path`; anything wrong becomes `error(message)`."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist") from cause
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as cause:
        raise error(f"{path} is damaged or not readable: {cause}") from cause


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def write_error(path: Path, error: OSError) -> UnspoolError:
    """The sentence for a write that failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnspoolError(f"no space left to write {path}: free some space and try again")
    return UnspoolError(f"cannot write {path}: {error.strerror or error}")


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":  # Windows cannot open a directory
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
