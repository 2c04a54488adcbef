"""The runs below a folder, loaded when they are needed."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

from ..errors import ConfigError
from ..run import load
from ..training.directory import CONFIG, MODEL

KEPT = 4  # loaded runs
DEEPEST = 3  # folders below the root


class Store:
    """Run directories below `root` by their relative names; the last few stay loaded."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._loaded: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._lock = Lock()

    def names(self) -> list[str]:
        """All runs, a run being a folder with a config.json."""
        found: list[Path] = []
        for depth in range(1, DEEPEST + 1):
            found += self.root.glob("/".join(["*"] * depth + [CONFIG]))
        return sorted(path.parent.relative_to(self.root).as_posix() for path in found)

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

    def name(self, name: str) -> str:
        """The one name of a run that is spelled in any way: its path below the root."""
        return self.path(name).relative_to(self.root).as_posix()

    def load(self, name: str) -> Any:
        """The run as `unspool.load` gives it, read again when its weights have changed.

        Raises RunError where it is no run or has no weights yet.
        """
        path = self.path(name)
        changed = (path / MODEL).stat().st_mtime_ns if (path / MODEL).exists() else 0
        with self._lock:
            if name not in self._loaded or self._loaded[name][0] != changed:
                self._loaded[name] = changed, load(path)
            self._loaded.move_to_end(name)
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[name][1]
