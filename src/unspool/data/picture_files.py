"""Read the files of a folder or TAR of pictures one at a time, and count those left out."""

import tarfile
import zlib
from collections.abc import Callable, Container, Iterator
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from ..errors import DataError
from ..limits import MAX_PICTURE_BYTES
from .folders import walk_files
from .left_out import LeftOut
from .tars import tar_members

_TAR_ERRORS = (tarfile.TarError, EOFError, OSError, zlib.error, LZMAError)
_Files = Iterator[tuple[str, Callable[[], bytes]]]  # name, and the function that reads the file


class Pictures:
    """The files of a folder and its subfolders, or of a TAR, compressed or not.

        for name, content in Pictures("val-images.tar").contents():
            pixels = decode_picture(content, name)

    `names` are relative paths with "/" between; hidden files are skipped. Nothing is unpacked to
    the disk, and one file at a time is in memory. `left_out` has what was skipped: links, devices,
    names that lead out of the TAR, repeated names, files above 256 MB. Raises DataError if the
    source is neither, has no files, or is a damaged TAR.
    """

    def __init__(self, source: str | Path) -> None:
        self.source = Path(source)
        self.left_out = LeftOut()
        # All names are read before any content: only then is it known which base names are
        # unambiguous, and a damaged TAR is found before hours of work.
        self.names = [name for name, _ in self._files()]
        if not self.names:
            raise DataError("; ".join([f"{source} has no pictures", *self.left_out.notes()]))

    def contents(self, wanted: Container[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield (name, content) of the wanted files, or of all, in the order of `names`."""
        for name, read in self._files():
            if wanted is not None and name not in wanted:
                continue
            try:
                content = read()
            except _TAR_ERRORS as error:
                self.left_out.add("files that cannot be read", name, f"{name}: {error}")
                continue
            yield name, content

    def _files(self) -> _Files:
        if self.source.is_dir():
            return self._in_folder()
        if not self.source.is_file():
            what = "is a pipe or device" if self.source.exists() else "does not exist"
            raise DataError(f"{self.source} {what}: name a folder or TAR of pictures")
        return self._in_tar()

    def _in_folder(self) -> _Files:
        for path in walk_files(self.source, self.left_out):
            name = path.relative_to(self.source).as_posix()
            size = path.stat().st_size if path.exists() else 0  # reading it will raise the error
            if self._fits(name, size):
                yield name, path.read_bytes

    def _in_tar(self) -> _Files:
        seen: set[str] = set()
        for archive, member in tar_members(self.source):
            path = PurePosixPath(member.name)  # without a leading "./"
            name = str(path)
            hidden = next((i for i, part in enumerate(path.parts, 1) if _is_hidden(part)), None)
            if member.isdir():
                continue
            if hidden is not None:
                self.left_out.add("hidden files and folders", "/".join(path.parts[:hidden]))
                continue
            if not member.isreg():
                self.left_out.add("links and devices in the TAR", name)
            elif path.is_absolute() or ".." in path.parts:
                self.left_out.add("unsafe names in the TAR", name)
            elif name in seen:
                self.left_out.add("names that occur twice in the TAR (the first is used)", name)
            elif self._fits(name, member.size):
                seen.add(name)
                yield name, partial(_read_member, archive, member)

    def _fits(self, name: str, size: int) -> bool:
        if size > MAX_PICTURE_BYTES:
            self.left_out.add(f"files above {MAX_PICTURE_BYTES >> 20} MB", name)
        return size <= MAX_PICTURE_BYTES


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part != ".."


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None  # it is a regular file
    return file.read()
