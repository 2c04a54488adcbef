"""Features of many pictures, computed once and kept in a memory-mapped file of float16.

The file has a magic number, the header's length and CRC-32 (8 bytes each), the header as JSON, the
rows, and a CRC-32 for each row. Only rows that are damaged or new are computed again.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float16, Float32, UInt8

from .. import files
from ..errors import ConfigError, RunError
from ..files import atomic_writer
from ..limits import MAX_JSON_BYTES
from .efficientnet import PICTURE_SIZE, EfficientNetLite0, Layer
from .resize import MARGIN, fit

BATCH = 8  # more pictures overflow the cache: 97 pictures/s with 4 or 8, 86 with 16
_MAGIC = b"UNSPFEA1"
_ALIGN = 4096
Read = Callable[[int], UInt8[np.ndarray, "H W 3"]]


@eqx.filter_jit
def _features(net: EfficientNetLite0, pictures: np.ndarray, layer: Layer) -> Array:
    return net.features(jnp.asarray(pictures), layer)


def extract(
    net: EfficientNetLite0,
    pictures: Iterable[UInt8[np.ndarray, "H W 3"]],
    layer: Layer = "pooled",
    *,
    margin: int = MARGIN,
    batch: int = BATCH,
) -> Iterator[Float32[np.ndarray, "b *grid F"]]:
    """Yield features of a stream of pictures of any size, `batch` at a time (the last may be
    fewer).

    The next pictures are read and scaled while the network processes these. Pictures and `margin`
    are those of `fit`.
    """
    if batch < 1:
        raise ConfigError(f"batch must be at least 1, got {batch}")
    fitted = (fit(picture, PICTURE_SIZE, margin) for picture in pictures)
    ahead: tuple[Array, int] | None = None
    while group := list(islice(fitted, batch)):
        padded = group + group[-1:] * (batch - len(group))  # one shape, one compilation
        result = _features(net, np.stack(padded), layer)
        if ahead:
            yield np.asarray(ahead[0])[: ahead[1]]
        ahead = result, len(group)
    if ahead:
        yield np.asarray(ahead[0])[: ahead[1]]


def weights_hash(net: eqx.Module) -> str:
    """Return the SHA-256 of the arrays of a network and their shapes."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(eqx.filter(net, eqx.is_array)):
        digest.update(str(leaf.shape).encode())
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


class FeatureCache:
    """The features of a data set's pictures from one layer, in the file `path`.

        cache = FeatureCache(path, net, "grid")
        for done in cache.fill(keys, read):         # yields nothing if all are there
            print(done, "of", len(keys))
        features = cache.load(keys)                 # (N, 7, 7, 1280) float16, memory-mapped

    `keys` are hashes of the pictures' content, in the order of the wanted rows; `read(i)` returns
    the picture of keys[i], RGB uint8. Features are taken from the file if it has the key, was
    written with the same weights, layer and margin, and the row is undamaged.
    """

    def __init__(
        self, path: str | Path, net: EfficientNetLite0, layer: Layer = "pooled",
        margin: int = MARGIN,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self.net, self.layer, self.margin = net, layer, margin
        sides = (PICTURE_SIZE, PICTURE_SIZE, 3)
        one = jax.ShapeDtypeStruct((1, *sides), np.uint8)  # type: ignore[no-untyped-call]
        self.shape = jax.eval_shape(lambda x: net.features(x, layer), one).shape[1:]
        self._source = {"weights": weights_hash(net), "layer": layer, "margin": margin}

    def load(self, keys: Sequence[str]) -> Float16[np.ndarray, "N *grid F"] | None:
        """Return the rows of `keys`, read-only, or None if one of them is missing or damaged."""
        stored, rows, is_good = self._open()
        return rows if stored == list(keys) and is_good.all() else None

    def fill(
        self, keys: Sequence[str], read: Read, *, batch: int = BATCH,
        order: Sequence[int] | None = None,
    ) -> Iterator[int]:  # fmt: skip
        """Compute what is missing and write the file, completely or not at all.

        Pictures are requested in `order`, by default that of the keys. Yields after each batch how
        many rows are done. Raises what `read` raises.
        """
        stored, rows, is_good = self._open()
        if stored == list(keys) and is_good.all():
            return
        known = {key: i for i, key in enumerate(stored) if is_good[i]}
        missing = [i for i in order or range(len(keys)) if keys[i] not in known]
        pictures = (read(i) for i in missing)
        with atomic_writer(self.path) as file:
            header = {**self._source, "shape": self.shape, "keys": list(keys)}
            table = _Table(file, header)
            for i, key in enumerate(keys):
                if key in known:
                    table.put(i, rows[known[key]])
            done, places = len(keys) - len(missing), iter(missing)
            for group in extract(self.net, pictures, self.layer, margin=self.margin, batch=batch):
                for row, i in zip(group.astype(np.float16), places, strict=False):
                    table.put(i, row)
                done += len(group)
                yield done
            table.close()

    def _open(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Return keys, rows and which rows are undamaged; nothing if the file cannot be used."""
        header, begin = _read_header(self.path)
        wanted = {**self._source, "shape": list(self.shape), "keys": header.get("keys")}
        if header != wanted:
            return [], np.zeros((0, *self.shape), np.float16), np.zeros(0, bool)
        return header["keys"], *_read_rows(self.path, begin, (len(header["keys"]), *self.shape))


class _Table:
    """Collects rows and their checksums for a file."""

    def __init__(self, file: BinaryIO, header: dict[str, Any]) -> None:
        data = json.dumps(header).encode()
        head = _MAGIC + len(data).to_bytes(8, "little") + zlib.crc32(data).to_bytes(8, "little")
        self._file, self._begin = file, _aligned(len(head) + len(data))
        self._sums = np.zeros(len(header["keys"]), np.uint32)
        self._row = 2 * math.prod(header["shape"])
        file.write(head + data)

    def put(self, i: int, row: Float16[np.ndarray, "*grid F"]) -> None:
        data = row.tobytes()
        self._file.seek(self._begin + i * self._row)
        self._file.write(data)
        self._sums[i] = zlib.crc32(data)

    def close(self) -> None:
        self._file.seek(self._begin + len(self._sums) * self._row)
        self._file.write(self._sums.tobytes())


def read_features(path: Path) -> Float16[np.ndarray, "N *grid F"]:
    """Read all rows of a file that `FeatureCache` wrote. Raises RunError if one is damaged."""
    header, begin = _read_header(path)
    if not header:
        raise RunError(f"{path} is missing or damaged")
    rows, is_good = _read_rows(path, begin, (len(header["keys"]), *header["shape"]))
    if not (len(is_good) and is_good.all()):
        raise RunError(f"{path} is damaged")
    return rows


def _read_rows(path: Path, begin: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows, and which of them are undamaged; none if the file was cut off."""
    end = begin + 2 * math.prod(shape)
    if end == begin or path.stat().st_size != end + 4 * shape[0]:
        return np.zeros(0, np.float16), np.zeros(shape[0], bool)
    rows = np.memmap(path, np.float16, "r", begin, shape)
    sums = np.memmap(path, np.uint32, "r", end, shape[:1])
    is_good = [zlib.crc32(row) == wanted for row, wanted in zip(rows, sums, strict=True)]
    return rows, np.array(is_good, bool)


def _aligned(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header, with at least `shape` and `keys`, and where the rows begin; an empty
    header if the file is missing or damaged.
    """
    try:
        with files.open_regular(path) as file:
            magic, size, crc = (file.read(8) for _ in range(3))
            length = int.from_bytes(size, "little")
            is_ours = magic == _MAGIC and length <= MAX_JSON_BYTES
            data = file.read(length) if is_ours else b""
    except OSError:
        return {}, 0
    if not data or zlib.crc32(data) != int.from_bytes(crc, "little"):
        return {}, 0
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):  # ValueError: not UTF-8, not JSON, 5,000 digits
        return {}, 0
    return (header if _is_header(header) else {}), _aligned(24 + len(data))


def _is_header(header: Any) -> bool:
    """Say whether a header has the keys of rows, and a shape that NumPy can have."""
    if not isinstance(header, dict):
        return False
    keys, shape = header.get("keys"), header.get("shape")
    return (
        isinstance(keys, list)
        and all(isinstance(key, str) for key in keys)
        and isinstance(shape, list)
        and len(shape) <= 3
        and all(type(side) is int and 0 <= side < 1 << 31 for side in shape)
    )
