"""Write files atomically, and read untrusted ones with limits."""

import errno
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import DataError, UnspoolError
from .limits import MAX_CONFIG_BYTES, MAX_JSON_BYTES, MAX_ZIP_DIRECTORY_BYTES

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither these nor FIFOs
NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO does not wait for a writer


# The entries of a run directory: `training/directory.py` describes each.
RUN_FILES = {
    "config.json", "model.safetensors", "train-state.safetensors", "metrics.jsonl", "samples.txt",
    "options.toml", "vocab.json", "tokenizer.json",
}  # fmt: skip
RUN_FOLDERS = {"data", "source", "target"}


def is_run(folder: Path) -> bool:
    """Say whether a folder is a run directory, with a config.json of ours."""
    try:
        config = read_json(folder / "config.json", limit=MAX_CONFIG_BYTES)
    except UnspoolError:
        return False
    return isinstance(config, dict) and {"format_version", "model", "task"} <= config.keys()


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success fsync it and rename it to `path`.

    A process killed at any instant leaves either the old file or the new one. After an error (a
    full disk, an exception in the body) the temporary file is removed and the old file stays;
    `OSError` becomes an `UnspoolError` that names the file.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW, 0o666)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_directory(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise write_error(path, error) from error
        raise


def temporaries(directory: Path, names: Iterable[str]) -> list[Path]:
    """Find what `atomic_writer` left of files of these names when its process was killed."""
    pattern = re.compile(rf"\.(?:{'|'.join(map(re.escape, names))})\.\d+\.[0-9a-f]{{8}}\.tmp")
    return [path for path in directory.iterdir() if pattern.fullmatch(path.name)]


@contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """Open `path` to append. Raises `OSError` unless it is a regular file without other links."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | NOFOLLOW | NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    with open(descriptor, "ab") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise OSError(errno.EMLINK, "it must be a regular file without other links", str(path))
        yield file


def link(source: Path, path: Path) -> None:
    """Make `path` the same file as `source`, or a copy of it if it cannot be."""
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


def read_json(
    path: Path, error: Callable[[str], UnspoolError] = DataError, limit: int = MAX_JSON_BYTES
) -> Any:
    """Read JSON of at most `limit` bytes from `path`. Raises `error(message)` if it cannot."""
    data = read_bytes(path, error, limit)
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as cause:  # ValueError: not UTF-8, not JSON, 5,000 digits
        raise error(f"{path} is damaged or not readable: {cause}") from cause


def strings(value: Any) -> tuple[str, ...]:
    """Return the strings of a JSON list. Raises TypeError if it is anything else."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("a list of strings")
    return tuple(value)


def open_regular(path: Path) -> io.FileIO:
    """Open a file to read. Raises OSError if it is not a regular file; does not wait for a pipe."""
    descriptor = os.open(path, os.O_RDONLY | NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return io.FileIO(descriptor)
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def read_bytes(
    path: Path, error: Callable[[str], UnspoolError] = DataError, limit: int = MAX_JSON_BYTES
) -> bytes:
    """Read a regular file of at most `limit` bytes. Raises `error(message)` if it is anything
    else.
    """
    try:
        with open_regular(path) as file:
            data = file.read(limit + 1)
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist") from cause
    except OSError as cause:
        raise error(f"cannot read {path}: {cause.strerror or cause}") from cause
    if len(data) > limit:
        raise error(f"{path} must have at most {limit >> 20} MiB")
    return data


class _Bounded(io.BufferedReader):
    """A file that refuses reads of more than `most` bytes at once."""

    most: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise zipfile.BadZipFile(f"its directory has more than {self.most >> 20} MiB")
        return super().read(size)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a ZIP archive, limiting the size of its directory, which is kept in memory.

    Raises OSError, or anything that `zipfile` raises for hostile bytes.
    """
    with _Bounded(open_regular(path)) as file:
        file.most = MAX_ZIP_DIRECTORY_BYTES  # zipfile reads the directory in one piece
        with zipfile.ZipFile(file) as archive:
            file.most = None
            yield archive


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def write_error(path: Path, error: OSError) -> UnspoolError:
    """Make the error for a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnspoolError(f"no space left to write {path}: free some space and try again")
    return UnspoolError(f"cannot write {path}: {error.strerror or error}")


def sync_directory(directory: Path) -> None:
    """Force the names in a directory to disk."""
    if os.name != "posix":  # Windows cannot open a directory
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
