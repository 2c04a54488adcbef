"""Read PyTorch's checkpoint files without torch and without running a pickle.

There are two forms: a zip archive (torch >= 1.6), and the older series of pickles followed by the
raw numbers of each storage. `pickle_reader` interprets the pickles; this module reads the storages.
"""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import jax.numpy as jnp
import numpy as np

from .. import files
from ..errors import DataError
from ..limits import MAX_PICKLE_BYTES
from .pickle_reader import Name, read_pickle, shown

_DTYPES: dict[str, Any] = {
    "torch.DoubleStorage": np.float64,
    "torch.FloatStorage": np.float32,
    "torch.HalfStorage": np.float16,
    "torch.BFloat16Storage": jnp.bfloat16,
    "torch.LongStorage": np.int64,
    "torch.IntStorage": np.int32,
    "torch.ShortStorage": np.int16,
    "torch.CharStorage": np.int8,
    "torch.ByteStorage": np.uint8,
    "torch.BoolStorage": np.bool_,
}
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def read_torch_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Return the state dict of a checkpoint: names to read-only arrays (storages may be shared).

    A checkpoint that keeps it under the key `state_dict` works too. Nothing in the file is
    executed, and memory is at most a small multiple of its size. Raises DataError if the file is
    not such a checkpoint, is damaged, or asks for anything but tensors.
    """
    try:
        with io.BufferedReader(files.open_regular(Path(path))) as file:
            is_zip = file.read(4) == b"PK\x03\x04"
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            found = _read_zip(Path(path), size) if is_zip else _read_legacy(file, size)
            return _state_dict(found)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # hostile bytes may raise anything
        raise DataError(
            f"{path}: not a readable PyTorch checkpoint ({type(error).__name__}: "
            f"{shown(error)}); save it again with torch.save(model.state_dict(), path)"
        ) from error


def _state_dict(found: Any) -> dict[str, np.ndarray]:
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(v, np.ndarray) for v in found.values()):
        raise DataError("does not hold a flat state dict of tensors")
    return found


def _declared(pid: Any) -> tuple[str, Any, int]:
    """Return key, dtype and count of a storage, from its persistent id."""
    match pid:
        case ("storage", Name(name), str(key), str(), int(count), *view):
            if name in _DTYPES and count >= 0 and view in ([], [None]):
                return key, np.dtype(_DTYPES[name]), count
    raise DataError("a storage is not declared as torch.save does it")


class _Storages(dict[str, np.ndarray]):
    """Storages by key, each made once by `make(key, dtype, count)`."""

    def __init__(self, make: Callable[[str, Any, int], np.ndarray]) -> None:
        super().__init__()
        self._make = make

    def find(self, pid: Any) -> np.ndarray:
        key, dtype, count = _declared(pid)
        if key not in self:
            self[key] = self._make(key, dtype, count)
        if self[key].dtype != dtype or self[key].size != count:
            raise DataError(f"storage {shown(key)} does not hold the {count} numbers it declares")
        return self[key]


def _read_zip(path: Path, size: int) -> Any:
    with files.open_zip(path) as archive:
        members = archive.infolist()
        is_packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
        if is_packed or sum(member.file_size for member in members) > size:
            raise DataError("its members are compressed or overlap, which torch.save does not do")
        pickles = [m for m in members if m.filename.rsplit("/", 1)[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise DataError(f"holds {len(pickles)} data.pkl members; a checkpoint holds one")
        if pickles[0].file_size > MAX_PICKLE_BYTES:
            raise DataError(f"its data.pkl is over {MAX_PICKLE_BYTES:,} bytes")
        folder = pickles[0].filename.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            _check_order(archive.read(f"{folder}byteorder") == b"little")

        def make(key: str, dtype: Any, count: int) -> np.ndarray:
            return np.frombuffer(archive.read(f"{folder}data/{key}"), dtype)

        return read_pickle(io.BytesIO(archive.read(pickles[0])), _Storages(make).find)


def _read_legacy(file: BinaryIO, size: int) -> Any:
    """Read magic number, protocol, system, state and keys; then a count and numbers for each
    key.
    """
    if read_pickle(file) != _LEGACY_MAGIC or read_pickle(file) != _LEGACY_PROTOCOL:
        raise DataError("it does not start like a PyTorch checkpoint")
    system = read_pickle(file)
    _check_order(isinstance(system, dict) and system.get("little_endian") is True)
    left = size

    def make(key: str, dtype: Any, count: int) -> np.ndarray:
        nonlocal left
        left -= count * dtype.itemsize
        if left < 0:
            raise DataError(f"storage {shown(key)} of {count} numbers is larger than the file")
        return np.empty(count, dtype)

    storages = _Storages(make)
    state = read_pickle(file, storages.find)  # views of storages that `_fill` fills
    _fill(file, storages, read_pickle(file))
    return state


def _fill(file: BinaryIO, storages: dict[str, np.ndarray], keys: Any) -> None:
    is_list = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not is_list or sorted(keys) != sorted(storages):
        raise DataError("its list of storages does not name each of them once")
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(file.read(8), "little")
        if count != storage.size:
            raise DataError(f"storage {shown(key)} declares {storage.size} numbers, has {count}")
        if file.readinto(storage.view(np.uint8)) != storage.nbytes:  # type: ignore[attr-defined]
            raise DataError(f"truncated in storage {shown(key)}")


def _check_order(is_little: bool) -> None:
    if not is_little:
        raise DataError("its numbers are big-endian: save it again on a little-endian machine")
