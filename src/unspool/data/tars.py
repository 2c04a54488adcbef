"""Read untrusted TAR archives from start to end with bounded memory."""

import tarfile
from collections.abc import Iterator
from lzma import LZMADecompressor, LZMAError
from pathlib import Path
from typing import Any, BinaryIO, Self

from ..errors import DataError
from ..limits import MAX_TAR_HEADER_BYTES, MAX_XZ_BYTES
from .left_out import printable

_LONG = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_BLOCK = 1 << 18  # bytes unpacked at a time


def is_tar(path: Path) -> bool:
    """Say whether a file is a TAR, compressed or not."""
    try:
        return path.is_file() and next(tar_members(path), None) is not None
    except DataError:
        return False


def tar_members(source: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield an archive and each of its members; a member's content is read before the next.

    Raises DataError if the file is not a complete TAR, has sparse members, or has more than
    `MAX_TAR_HEADER_BYTES` of long names and attributes before a member.
    """
    last, offset = "", 0
    try:
        with _Archive.open(source, tarinfo=_Member) as archive:
            while (member := archive.next()) is not None:
                # Otherwise the headers of a large TAR would fill the memory.
                archive.members.clear()  # type: ignore[attr-defined]
                archive.long_bytes = 0
                if archive.offset <= offset:  # Python before 3.11.14 would loop forever
                    raise tarfile.ReadError("a size is negative")
                last, offset = member.name, archive.offset
                yield archive, member
    except DataError as error:
        raise DataError(f"{source}: {error.fact}", error.remedy) from error
    except Exception as error:  # hostile bytes may raise anything
        if isinstance(error, tarfile.ReadError) and not last:
            raise DataError(f"{source} is neither a folder nor a TAR of pictures") from error
        after = f" after {printable(last)}" if last else ""
        reason = str(error)[:200] or type(error).__name__
        raise DataError(
            f"{source} is damaged or truncated{after} ({reason})", "get it again"
        ) from error


class _Archive(tarfile.TarFile):
    """An archive that counts the header bytes it keeps, and unpacks xz with bounded memory."""

    long_bytes = 0  # of the next member
    global_bytes = 0  # of all members

    @classmethod
    def xzopen(
        cls, name: Any, mode: str = "r", fileobj: Any = None, preset: Any = None, **options: Any
    ) -> Self:
        """Open an xz-compressed archive."""
        file: Any = _XzFile(name)
        try:
            archive = cls.taropen(name, "r", file, **options)
        except (LZMAError, EOFError) as error:
            file.close()
            raise tarfile.ReadError(f"not xz: {error}") from error
        except BaseException:
            file.close()
            raise
        archive._extfileobj = False  # type: ignore[attr-defined]  # it is closed with the archive
        return archive


class _Member(tarfile.TarInfo):
    """A member with limits on long names and attributes, which are read into memory."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> Self:
        """Read a header; raise an error even if tarfile would take a broken one for the end."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf).strip(b"\0"):
                raise tarfile.ReadError("the next header is broken") from error
            raise

    def _proc_member(self, archive: _Archive) -> tarfile.TarInfo:
        if self.type == tarfile.GNUTYPE_SPARSE:
            self._refuse_sparse()
        if self.type in _LONG:
            is_global = self.type == tarfile.XGLTYPE
            archive.long_bytes += 0 if is_global else abs(self.size)
            archive.global_bytes += abs(self.size) if is_global else 0
            if max(archive.long_bytes, archive.global_bytes) > MAX_TAR_HEADER_BYTES:
                raise DataError(
                    f"names and attributes of a member must have at most "
                    f"{MAX_TAR_HEADER_BYTES >> 10:,} KiB"
                )
        return super()._proc_member(archive)

    def _refuse_sparse(self, *_: Any) -> Any:
        raise DataError("sparse members are not supported", "make the TAR without -S")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


class _XzFile:
    """An .xz file unpacked from start to end: LZMAFile would take as much memory as the file asks
    for.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb")  # noqa: SIM115
        self._pieces = _unpacked(self._file)
        self._left = bytearray()
        self._at = 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end."""
        while len(self._left) < size and (piece := next(self._pieces, None)) is not None:
            self._left += piece
        data = bytes(self._left[:size])
        del self._left[:size]
        self._at += len(data)
        return data

    def seek(self, position: int) -> None:
        """Skip forward."""
        if position < self._at:
            raise OSError("a compressed TAR can be read forward only")
        while self._at < position and self.read(min(position - self._at, _BLOCK)):
            pass

    def tell(self) -> int:
        """Return the number of bytes read so far."""
        return self._at

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of the streams of an .xz file, one after the other."""
    data = file.read(_BLOCK)
    while data:
        decoder = LZMADecompressor(memlimit=MAX_XZ_BYTES)
        while not decoder.eof:
            yield _decompressed(decoder, data)
            data = file.read(_BLOCK) if decoder.needs_input and not decoder.eof else b""
            if decoder.needs_input and not decoder.eof and not data:
                raise EOFError("its compressed data has no end")
        data = decoder.unused_data.lstrip(b"\0")
        while not data and (more := file.read(_BLOCK)):
            data = more.lstrip(b"\0")


def _decompressed(decoder: LZMADecompressor, data: bytes) -> bytes:
    try:
        return decoder.decompress(data, _BLOCK)
    except LZMAError as error:
        if "limit" in str(error):
            raise DataError(f"takes more than {MAX_XZ_BYTES >> 20} MiB to unpack") from error
        raise
