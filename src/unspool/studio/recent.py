"""Keep the last few values that the page uses, by name."""

import secrets
from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The `most` values that were most recently kept or found; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = Lock()

    def keep(self, value: Value, name: str | None = None) -> str:
        """Keep a value, under a new name unless one is given; return the name."""
        name = name or secrets.token_hex(8)
        with self._lock:
            self._values[name] = value
            self._values.move_to_end(name)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return name

    def find(self, name: str) -> Value | None:
        """Return the value of a name, or None if it is no longer kept."""
        with self._lock:
            if name in self._values:
                self._values.move_to_end(name)
            return self._values.get(name)

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._values.clear()
