"""Count and name what was left out of a source, and why."""

from collections.abc import Iterable

_NAMED = 3  # how many names a note has


class LeftOut:
    """What was left out and why. A name counts once per reason, however often it is added."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}

    def add(self, reason: str, name: str, description: str = "") -> None:
        """Count a name; a note shows the description instead, if there is one."""
        self._names.setdefault(reason, {})[name] = description or name

    def counts(self) -> dict[str, int]:
        """Return how many names were left out for each reason."""
        return {reason: len(names) for reason, names in self._names.items()}

    def notes(self) -> list[str]:
        """Return a line per reason: how many, and the first few."""
        lines = []
        for reason, names in self._names.items():
            shown = ", ".join(map(printable, list(names.values())[:_NAMED]))
            more = ", ..." if len(names) > _NAMED else ""
            lines.append(f"{reason}: {len(names)} ({shown}{more})")
        return lines


def listed(names: Iterable[str], length: int = 200) -> str:
    """Join names with commas on a line of limited length."""
    line = ", ".join(map(printable, names)) or "nothing"
    return line if len(line) <= length else f"{line[:length]}..."


def printable(name: str) -> str:
    """Return a file's name as it can be shown."""
    return name if name.isprintable() else ascii(name)
