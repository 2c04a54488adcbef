"""PyTorch's checkpoint files (the zip form), read without torch and without running a pickle.

The pickle inside may name a short list of things only, each mapped to a function of ours that
makes NumPy arrays; any other name ends the reading before anything is called.
"""

import collections
import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from unspool.errors import DataError

MAX_BYTES = 2**31  # of all members together, as they are declared
_DTYPES: dict[str, Any] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def read_torch_weights(path: str | Path) -> dict[str, np.ndarray]:
    """The state dict of a checkpoint: names to read-only arrays (storages may be shared).

    Raises DataError for a file that is no such checkpoint, that is damaged, over `MAX_BYTES`, or
    whose pickle asks for anything but tensors in dictionaries. Nothing of the file is executed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            state = _load(archive)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a hostile pickle may raise anything at all
        raise DataError(
            f"{path}: not a readable PyTorch checkpoint ({type(error).__name__}: {error}); "
            "save it again with torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray) for name, value in state.items()
    ):
        raise DataError(f"{path}: holds no flat state dict of tensors")
    return dict(state)


def _load(archive: zipfile.ZipFile) -> Any:
    if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
        raise DataError(f"its members declare more than {MAX_BYTES} bytes")
    pickles = [n for n in archive.namelist() if n == "data.pkl" or n.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise DataError(f"holds {len(pickles)} data.pkl members; a checkpoint holds one")
    return _Reader(archive, pickles[0].removesuffix("data.pkl")).load()


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any = False, *_: Any
) -> np.ndarray:
    """torch._utils._rebuild_tensor_v2: a strided view, refused where it leaves its storage."""
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, np.ndarray) or len(shape) != len(strides) or len(shape) > 32:
        raise DataError("a tensor without a storage or with strides that do not fit its shape")
    if not all(type(n) is int and n >= 0 for n in numbers):
        raise DataError(f"a tensor's offset, shape and strides must be counts, not {numbers}")
    reach = sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if math.prod(shape) > storage.size or (math.prod(shape) and offset + reach >= storage.size):
        raise DataError(f"a tensor of shape {shape} lies outside its storage of {storage.size}")
    if not math.prod(shape):
        return np.zeros(shape, storage.dtype)
    size = storage.itemsize
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [s * size for s in strides], writeable=False
    )


class _Reader(pickle.Unpickler):
    """An unpickler to which only the names below exist."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(folder + "data.pkl")))
        self._archive, self._folder = archive, folder
        self._storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise DataError(f"its pickle asks for {module}.{name}, which is not allowed")

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, kind, key, _, count = pid
        if key not in self._storages:
            data = self._archive.read(f"{self._folder}data/{key}")
            self._storages[key] = np.frombuffer(data, _DTYPES[kind])
        if self._storages[key].size != count or self._storages[key].dtype != _DTYPES[kind]:
            raise DataError(f"storage {key} does not hold the {count} numbers it declares")
        return self._storages[key]
