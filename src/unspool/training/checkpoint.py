"""Arrays on disk: safetensors files with a checksum, one name for each leaf of a pytree."""

import hashlib
import json
from pathlib import Path
from typing import Any

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

    Raises RunError where the file is missing, truncated, edited or holds other names or
    shapes than `like`.
    """
    arrays, metadata = _read(path)
    if metadata.get("sha256") != _checksum(arrays, metadata.get("facts", "")):
        raise RunError(f"{path} is damaged: its checksum does not match its content")
    named = _named_leaves(like)
    if sorted(arrays) != sorted(name for name, _ in named):
        raise RunError(f"{path} does not fit this run's config.json: it has other weights")
    for name, leaf in named:
        if arrays[name].shape != leaf.shape or arrays[name].dtype != leaf.dtype:
            raise RunError(
                f"{path} does not fit this run's config.json: {name} must be "
                f"{leaf.dtype}{leaf.shape}, got {arrays[name].dtype}{arrays[name].shape}"
            )
    leaves = [jax.numpy.array(arrays[name]) for name, _ in named]
    return jax.tree.unflatten(jax.tree.structure(like), leaves), json.loads(metadata["facts"])


def _named_leaves(tree: Any) -> list[tuple[str, Any]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(p, simple=True, separator="."), leaf) for p, leaf in paths]


def _read(path: Path) -> tuple[Arrays, dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist") from error
    except (safetensors.SafetensorError, OSError) as error:
        raise RunError(f"{path} is damaged or not readable: {error}") from error


def _checksum(arrays: Arrays, facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
