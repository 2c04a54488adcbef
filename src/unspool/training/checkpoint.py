"""Keep arrays on disk: safetensors files with a checksum, one name per leaf of a pytree."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import safetensors
import safetensors.numpy

from ..errors import RunError
from ..files import write_bytes

Arrays = dict[str, np.ndarray]


def save_arrays(path: Path, tree: Any, facts: dict[str, Any] | None = None) -> None:
    """Write every array of `tree` and some JSON `facts` to `path` atomically."""
    arrays = {name: np.array(leaf, order="C") for name, leaf in _named_leaves(tree)}
    metadata = {"facts": json.dumps(facts or {})}
    metadata["sha256"] = _checksum(arrays, metadata["facts"])
    write_bytes(path, safetensors.numpy.save(arrays, metadata))


def load_arrays(path: Path, like: Any) -> tuple[Any, dict[str, Any]]:
    """Read what `save_arrays` wrote into the structure of `like`, and the facts.

    Raises RunError if the file is missing, truncated or edited, or has other names or shapes than
    `like`. The arrays are read only if names and shapes fit.
    """
    named = _named_leaves(like)
    arrays, metadata = _read(path, dict(named))
    facts = metadata.get("facts", "")
    if metadata.get("sha256") != _checksum(arrays, facts):
        raise RunError(f"{path} is damaged: its checksum does not match its content")
    leaves = [jax.numpy.array(arrays[name]) for name, _ in named]
    with reading_facts(path):
        return jax.tree.unflatten(jax.tree.structure(like), leaves), dict(json.loads(facts))


def check_arrays(path: Path, like: Any) -> None:
    """Raise RunError if the file's header does not have the names and shapes of `like`."""
    _read(path, dict(_named_leaves(like)), only_check=True)


def is_weight(leaf: Any) -> bool:
    """Say whether a leaf of a model, or of its shapes, is an array that training changes."""
    return isinstance(leaf, jax.ShapeDtypeStruct) or eqx.is_inexact_array(leaf)


@contextmanager
def reading_facts(path: Path) -> Iterator[None]:
    """Turn errors caused by facts of the wrong type into a RunError that names the file."""
    try:
        yield
    except (
        KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise RunError(
            f"{path} is damaged: its facts are not those of a run ({error!r})"
        ) from error


def _named_leaves(tree: Any) -> list[tuple[str, Any]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(p, simple=True, separator="."), leaf) for p, leaf in paths]


def _read(
    path: Path, like: dict[str, Any], only_check: bool = False
) -> tuple[Arrays, dict[str, str]]:
    if not path.is_file():
        raise RunError(f"{path} does not exist" if not path.exists() else f"{path} is no file")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            _check_fit(path, slices, like)
            names = () if only_check else tuple(slices)
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (safetensors.SafetensorError, OSError, OverflowError) as error:
        raise RunError(f"{path} is damaged or not readable: {error}") from error


def _check_fit(path: Path, slices: dict[str, Any], like: dict[str, Any]) -> None:
    """Compare the file's header with the run's shapes."""
    if slices.keys() != like.keys():
        raise RunError(f"{path} does not fit this run's config.json: it has other weights")
    for name, leaf in like.items():
        shape, kind = tuple(slices[name].get_shape()), slices[name].get_dtype()
        if (shape, kind) != (leaf.shape, _kind(leaf.dtype)):
            raise RunError(
                f"{path} does not fit this run's config.json: {name} must be "
                f"{_kind(leaf.dtype)}{leaf.shape}, got {kind}{shape}"
            )


def _kind(dtype: Any) -> str:
    """Name the type as safetensors does: F32 for float32."""
    dtype = np.dtype(dtype)
    return "BOOL" if dtype.kind == "b" else f"{dtype.kind.upper()}{8 * dtype.itemsize}"


def _checksum(arrays: Arrays, facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
