"""Read files of text in pieces or lines, compressed or not, and from standard input."""

import codecs
import gzip
import io
import re
import shutil
import sys
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import files
from ..errors import DataError
from ..limits import MAX_UNPACKED_BYTES, MAX_UNPACKED_RATIO, UNPACKED_ANYWAY_BYTES

STANDARD_INPUT, STANDARD_INPUT_NAME = "-", "standard input"
_BLOCK_BYTES = 1 << 20  # at least the 4 bytes of a byte order mark
_GZIP = b"\x1f\x8b"
# The longer mark comes first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# One word that ends in a suffix; or a path from a folder, whatever follows.
_ONE_WORD = re.compile(r"\S*/\S*|\S*\w\.[^\W\d_]\w{0,7}")
_FROM_A_FOLDER = re.compile(r"(~|\.\.?)/\S.*")
_PACKED = ((b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"PK\3\4", "zip"), (b"(\xb5/\xfd", "zstd"))


class NotTextError(DataError):
    """A file that can be read, but not as text."""


def read_pieces(path: Path, *, raw: bool = False) -> Iterator[Any]:
    """Yield a file in pieces of about a megabyte: str, or unchanged bytes if `raw`.

    Text is UTF-8, or UTF-16 or UTF-32 if it begins with their byte order mark, which is dropped;
    gzip-compressed files are decompressed. Newlines are kept. Raises `DataError` if text cannot be
    decoded (with its offset), has NUL characters, or cannot be read.
    """
    try:
        with _opened(path) as file:
            if raw:
                while block := file.read(_BLOCK_BYTES):
                    yield block
                return
            packed = file.read(2) == _GZIP
            file.seek(0)
            yield from _decoded(path, _unpacked(path, file) if packed else _blocks(file))
    except OSError as error:
        raise unreadable(path, error) from error


def _opened(path: Path) -> io.BufferedReader:
    """Open a regular file; a pipe could be read only once, but texts are read twice."""
    if path.is_dir():
        raise DataError(f"cannot read {path}: it is a folder", "name a file")
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is a pipe or device", "save it as a file or pipe it into '-'")
    return io.BufferedReader(files.open_regular(path))


def _blocks(file: Any) -> Iterator[bytes]:
    """Yield blocks up to and including the empty one at the end of the file."""
    while block := file.read(_BLOCK_BYTES):
        yield block
    yield b""


def _unpacked(path: Path, file: Any) -> Iterator[bytes]:
    size = 0
    try:
        for block in _blocks(gzip.GzipFile(fileobj=file)):
            size += len(block)
            if size > max(UNPACKED_ANYWAY_BYTES, MAX_UNPACKED_RATIO * file.tell()):
                raise DataError(
                    f"{path} unpacks to more than {MAX_UNPACKED_RATIO} times its size, unlike "
                    "any text",
                    "unpack it first",
                )
            if size > MAX_UNPACKED_BYTES:
                raise DataError(
                    f"{path} unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB", "unpack it first"
                )
            yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged: its gzip data cannot be unpacked ({error})") from error


def _decoded(path: Path, blocks: Iterator[bytes]) -> Iterator[str]:
    """Decode blocks, the last of which is empty."""
    offset, decoder = 0, None
    for block in blocks:
        if decoder is None:
            mark, codec = next((m for m in _MARKS if block.startswith(m[0])), (b"", "utf-8"))
            decoder = codecs.getincrementaldecoder(codec)()
            name = codec.upper().removesuffix("-LE").removesuffix("-BE")
            first, block, offset = block, block[len(mark) :], len(mark)
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _undecodable(path, name, offset - pending + error.start, first) from error
        if "\0" in text:
            raise _binary(path, first)
        offset += len(block)
        yield text


def _undecodable(path: Path, codec: str, offset: int, first: bytes) -> DataError:
    if any(first.startswith(mark) for mark, _ in _PACKED):
        return _binary(path, first)
    return NotTextError(
        f"{path} is not {codec} text (bad byte at offset {offset})",
        "convert it (for Latin-1, iconv -f LATIN1 -t UTF-8)",
    )


def _binary(path: Path, first: bytes) -> DataError:
    for mark, name in _PACKED:
        if first.startswith(mark):
            return NotTextError(f"{path} is compressed ({name})", "unpack it first")
    return NotTextError(
        f"{path} looks binary (it has NUL characters)",
        "use a text file (UTF-16 needs its byte order mark)",
    )


def why_left_out(error: DataError) -> str:
    """Return the reason why a folder's file that raised `error` is left out."""
    return f"files that {'are not text' if isinstance(error, NotTextError) else 'cannot be read'}"


def suffix_of(source: str | Path) -> str:
    """Return the suffix in lower case, without that of gzip: .csv for DATA.CSV and data.csv.gz."""
    path = Path(source)
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file, without their ends; a final line break starts no new line.

    Lines end with LF or CR LF; with CR alone in a file that has no LF.
    """
    text = "".join(read_pieces(path))
    end = "\r" if "\n" not in text else "\n"
    lines = text.split(end)
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of `read_lines`, numbered from 1."""
    return enumerate(read_lines(path), start=1)


@contextmanager
def as_file(source: str | Path) -> Iterator[Path]:
    """Yield the file that a source names; for standard input ("-") a copy of it, which errors call
    standard input. A `Path("-")` is a file of that name.
    """
    if source != STANDARD_INPUT:
        yield Path(source)
        return
    path = standard_input()
    try:
        yield path
    except DataError as error:
        error.fact = error.fact.replace(str(path), STANDARD_INPUT_NAME)
        raise


def standard_input() -> Path:
    """Copy standard input to a file, which can be read more than once and is removed at exit."""
    if sys.stdin is None:
        raise DataError("'-' is named, but there is no standard input")
    return _copied(sys.stdin)


@lru_cache(maxsize=1)
def _copied(stream: Any) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="unspool-"))
    weakref.finalize(stream, shutil.rmtree, folder, ignore_errors=True)
    path = folder / "stdin"
    try:
        with open(path, "wb") as file:
            read_from = getattr(stream, "buffer", None) or io.BytesIO(stream.read().encode())
            shutil.copyfileobj(read_from, file)
    except OSError as error:
        raise files.write_error(path, error) from error
    return path


def check_standard_input(sources: Sequence[Any]) -> None:
    """Raise DataError if "-" is named more than once: there is one standard input."""
    if sum(source == STANDARD_INPUT for source in sources) > 1:
        raise DataError("'-' (standard input) can be named only once")


def looks_like_path(text: str) -> bool:
    """Say whether an argument is the name of a file, existing or missing, rather than a text.

    One word with a separator or a suffix is; of several words, those that start with `./` or
    similar, or end in the suffix of a format that Unspool reads.
    """
    if "\n" in text:
        return False
    if len(text.split()) == 1:
        return _ONE_WORD.fullmatch(text) is not None
    return _FROM_A_FOLDER.fullmatch(text) is not None or suffix_of(text) in _SUFFIXES


def check_exists(path: Path, wanted: str) -> None:
    """Raise DataError if an argument that is taken for a path does not exist."""
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(path, error) from error
    if not exists:
        raise DataError(
            f"{path} does not exist",
            f"name {wanted} (pipe a text that looks like a file's name into '-')",
        )


_SUFFIXES = {".txt", ".tsv", ".csv", ".conllu", ".conll", ".npz", ".ts", ".json", ".tar"}


def unreadable(path: Path, error: OSError | ValueError) -> DataError:
    """Make the error for a file that cannot be read."""
    return DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}")
