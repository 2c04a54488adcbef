"""The runs below a folder, loaded when they are needed."""

from pathlib import Path
from threading import Lock
from typing import Any

from ..errors import ConfigError
from ..tasks.registry import load
from ..training.directory import CONFIG, MODEL
from .recent import Recent

KEPT = 4  # loaded runs
DEEPEST = 3  # folders below the root


class Store:
    """Run directories below `root` by their relative names; the last few stay loaded."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._loaded: Recent[tuple[int, Any]] = Recent(KEPT)
        self._lock = Lock()  # two requests for a run load it once

    def names(self) -> list[str]:
        """All runs, a run being a folder with a config.json."""
        found: list[str] = []
        for depth in range(1, DEEPEST + 1):
            for path in self.root.glob("/".join(["*"] * depth + [CONFIG])):
                found.append(path.parent.relative_to(self.root).as_posix())
        return sorted(name for name in found if not self._is_alias(name))

    def path(self, name: str) -> Path:
        """The folder of a name; ConfigError for one that is not below the root."""
        try:
            path = (self.root / name).resolve()
            path.exists()  # raises where a name is too long
        except (OSError, ValueError):  # a name that no file can have
            path = self.root
        if path == self.root or not path.is_relative_to(self.root):
            raise ConfigError(f"run must be a folder below {self.root}, got {name!r}")
        return path

    def _is_alias(self, name: str) -> bool:
        """Whether it leads by a link to a run that has a name of its own."""
        path = (self.root / name).resolve()
        return path.is_relative_to(self.root) and path != self.root / name

    def name(self, name: str) -> str:
        """The one name of a run that is spelled in any way: its path below the root."""
        return self.path(name).relative_to(self.root).as_posix()

    def load(self, name: str) -> Any:
        """The run as `unspool.load` gives it, read again when its weights have changed.

        Raises RunError where it is no run or has no weights yet.
        """
        path, name = self.path(name), self.name(name)
        changed = (path / MODEL).stat().st_mtime_ns if (path / MODEL).exists() else 0
        with self._lock:
            found = self._loaded.find(name)
            if found is None or found[0] != changed:
                found = changed, load(path)
                self._loaded.keep(found, name)
            return found[1]
