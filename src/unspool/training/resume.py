"""Whether a run directory may be gone on with."""

from pathlib import Path
from typing import Any

from ..errors import RunError

# A resumed run may train for longer and report differently; nothing else may change.
MAY_CHANGE = {"max_steps", "max_minutes", "patience", "eval_every", "log_every", "save_minutes"}


def check_resumable(saved: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Raise RunError naming every value of config.json that differs from this call's."""
    for section in ("model", "task", "training"):
        before, after = saved[section], now[section]
        for key in sorted(before.keys() | after.keys()):
            if key in MAY_CHANGE or before.get(key) == after.get(key):
                continue
            raise RunError(
                f"cannot resume {path}: {_named(key)} has changed from "
                f"{_short(before.get(key))} to {_short(after.get(key))}"
            )


def _named(key: str) -> str:
    return {"text_sha256": "the text", "vocabulary": "the vocabulary"}.get(key, key)


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else value
    return f"sha256 {text[:12]}..." if len(text) == 64 else text
