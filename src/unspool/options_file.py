"""Flat TOML files of options."""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError, UnspoolError
from .files import read_bytes, write_bytes
from .limits import MAX_TOML_BYTES

OPTIONS = "options.toml"  # the file of a run


def read(path: Path, error: Callable[[str], UnspoolError] = ConfigError) -> dict[str, Any]:
    """Return the keys and values of a TOML file. Raises `error(message)` if it cannot be read."""
    data = read_bytes(path, error, MAX_TOML_BYTES)
    # A run's file may contain file names that are not UTF-8, as raw bytes.
    errors = "surrogateescape" if path.name == OPTIONS else "strict"
    try:
        return tomllib.loads(data.decode("utf-8-sig", errors))
    except (ValueError, RecursionError) as cause:  # ValueError: not UTF-8, not TOML, 5,000 digits
        raise error(f"{path} is not a readable TOML file: {cause}") from cause


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Write flat options atomically; None, which TOML lacks, is left out.

    File names that are not UTF-8 are written as raw bytes.
    """
    lines = [f"{key} = {_literal(value)}\n" for key, value in values.items() if value is not None]
    write_bytes(path, "".join(lines).encode(errors="surrogateescape"))


def _literal(value: Any) -> str:
    # JSON's strings, numbers and booleans are valid TOML, except for surrogate pairs and DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
