"""The runs below a folder, loaded on demand."""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from ..cells import Cell, is_own
from ..errors import ConfigError
from ..tasks.registry import load
from ..training.directory import CONFIG, MODEL, read_config
from .recent import Recent

KEPT = 4  # loaded runs
DEEPEST = 3  # folders below the root


class Store:
    """Run directories below `root` by their relative names; the last few stay loaded.

    Runs may have the given cells; one of another cell is not loaded.
    """

    def __init__(self, root: Path, cells: Mapping[str, type[Cell]]) -> None:
        self.root, self.cells = root.resolve(), cells
        self._loaded: Recent[tuple[int, Any]] = Recent(KEPT)
        self._lock = Lock()  # two requests for a run load it once

    def names(self) -> list[str]:
        """Return the names of all runs, which are folders with a config.json."""
        found: list[str] = []
        for depth in range(1, DEEPEST + 1):
            for path in self.root.glob("/".join(["*"] * depth + [CONFIG])):
                found.append(path.parent.relative_to(self.root).as_posix())
        return sorted(name for name in found if not self._is_alias(name))

    def path(self, name: str) -> Path:
        """Return the folder of a name. Raises ConfigError if it is not below the root."""
        try:
            path = (self.root / name).resolve()
            path.exists()  # raises if a name is too long
        except (OSError, ValueError):  # not a possible file name
            path = self.root
        if path == self.root or not path.is_relative_to(self.root):
            raise ConfigError(f"run must be a folder below {self.root}, got {name!r}")
        return path

    def _is_alias(self, name: str) -> bool:
        """Say whether a name leads through a link to a run that has another name."""
        path = (self.root / name).resolve()
        return path.is_relative_to(self.root) and path != self.root / name

    def name(self, name: str) -> str:
        """Return the canonical name of a run: its path below the root."""
        return self.path(name).relative_to(self.root).as_posix()

    def cell(self, name: str) -> type[Cell]:
        """A built-in cell, or one that the studio's command names; ConfigError for another."""
        if name not in self.cells:
            raise ConfigError(
                f"cell must be one of {', '.join(self.cells)}, got {name!r}",
                f"start the studio with --cell {name}" if is_own(name) else "",
            )
        return self.cells[name]

    def _read(self, path: Path) -> Any:
        cell = read_config(path)["model"].get("cell")
        return load(path, cell=self.cell(cell) if is_own(cell) else None)

    def load(self, name: str) -> Any:
        """Return the run as `unspool.load` does; load it again if its weights have changed.

        Raises RunError if it is not a run or has no weights yet.
        """
        path, name = self.path(name), self.name(name)
        changed = (path / MODEL).stat().st_mtime_ns if (path / MODEL).exists() else 0
        with self._lock:
            found = self._loaded.find(name)
            if found is None or found[0] != changed:
                found = changed, self._read(path)
                self._loaded.keep(found, name)
            return found[1]
