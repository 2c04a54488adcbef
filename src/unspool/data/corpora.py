"""Named corpora: `stdlib` (no download) and `tiny-shakespeare`."""

import platform
import sysconfig
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path

from .. import files
from ..errors import DataError

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Download:
    """A file on the web and what it must contain."""

    url: str
    sha256: str
    file_name: str


DOWNLOADS = {
    "tiny-shakespeare": Download(
        url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/"
        "tinyshakespeare/input.txt",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        file_name="tiny-shakespeare.txt",
    )
}
CORPORA = ("stdlib", *DOWNLOADS)

# Not the library's own code (installed packages), or not code worth imitating: tests,
# bundled programs, and generated tables of character sets and help texts.
_LEFT_OUT = {
    "__pycache__", "dist-packages", "encodings", "ensurepip", "idlelib", "lib2to3",
    "pydoc_data", "site-packages", "test", "tests", "turtledemo",
}  # fmt: skip


def corpus_files(name: str) -> tuple[list[Path], list[str]]:
    """Return the files of a corpus in reading order, and notes on what was left out."""
    if name == "stdlib":
        return stdlib_files(Path(sysconfig.get_path("stdlib")))
    return [fetch(name, DOWNLOADS[name])], []


def stdlib_files(directory: Path) -> tuple[list[Path], list[str]]:
    """Return the Python files below `directory`, sorted, and a note on those left out.

    Only pure ASCII files are used: the few others would add hundreds of characters that occur once
    or twice, and triple a character vocabulary of about 100.
    """
    found = list(_python_files(directory))
    taken = [path for path in found if _is_ascii(path)]
    if not taken:
        raise DataError(
            f"this Python has no source of its standard library in {directory}: "
            "name a text of your own"
        )
    return taken, [
        f"stdlib: {len(taken)} files of Python {platform.python_version()}; "
        f"left out {len(found) - len(taken)} with non-ASCII characters"
    ]


def _python_files(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()) if directory.is_dir() else ():
        if entry.is_dir() and entry.name not in _LEFT_OUT:
            yield from _python_files(entry)
        elif entry.suffix == ".py" and entry.is_file():
            yield entry


def _is_ascii(path: Path) -> bool:
    data = path.read_bytes()
    return data.isascii() and b"\0" not in data


def fetch(name: str, download: Download, directory: Path | None = None) -> Path:
    """Return the path of the file in `directory` (the user's cache); download it if it is missing.

    Its SHA-256 is checked in either case; a damaged copy is downloaded again. Raises `DataError`,
    with a remedy, if the download fails or is not the expected file.
    """
    path = (directory or _user_cache()) / download.file_name
    if path.is_file() and files.sha256_of(path) == download.sha256:
        return path
    data = _read_url(name, download.url, path)
    if sha256(data).hexdigest() != download.sha256:
        raise DataError(
            f"{name} from {download.url} has the wrong SHA-256, {sha256(data).hexdigest()}: "
            f"nothing was kept; save the right file ({download.sha256}) as {path}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.write_error(path, error) from error
    files.write_bytes(path, data)
    return path


def _read_url(name: str, url: str, path: Path) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            return bytes(response.read())
    except (OSError, HTTPException) as error:  # URLError and time-outs are OSErrors
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"cannot download {name} from {url} ({reason}): "
            f"try again online, or save that file as {path}"
        ) from error


def _user_cache() -> Path:
    import platformdirs  # here, as only downloads need it

    return Path(platformdirs.user_cache_dir("unspool"))
