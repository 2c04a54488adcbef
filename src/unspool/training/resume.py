"""Check that a run can be resumed."""

from pathlib import Path
from typing import Any

from ..cells import is_same_cell
from ..errors import RunError
from .directory import FORMAT_VERSION

# A resumed run may train longer and report differently; nothing else may change.
MAY_CHANGE = {
    "max_steps", "max_minutes", "patience", "eval_every", "log_every", "save_minutes",
    "sources", "sample_tokens", "reward_after",
}  # fmt: skip

_NAMES = {"text_sha256": "the text", "data_sha256": "the data", "vocabulary": "the vocabulary"}


def check_format(config: dict[str, Any], path: Path) -> None:
    """Raise RunError if the run has an older format: it would not continue as it started."""
    if config["format_version"] < FORMAT_VERSION:
        raise RunError(
            f"cannot resume {path}: Unspool {config.get('unspool', '')} started it, and learning "
            "rates, averages and the order of the text have changed since",
            "finish it with that version, or train a new run; its weights can be used as before",
        )


def check_resumable(saved: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Raise RunError naming a value of config.json that differs from this call's."""
    check_format(saved, path)
    for section in ("task", "model", "training"):
        before, after = saved[section], now[section]
        # A changed text may change other values too: it comes first.
        for key in sorted(before.keys() | after.keys(), key=lambda key: (key not in _NAMES, key)):
            if key in MAY_CHANGE or before.get(key) == after.get(key):
                continue
            if key == "cell" and is_same_cell(before.get(key), str(after.get(key))):
                continue
            raise RunError(
                f"cannot resume {path}: {_NAMES.get(key, key)} has changed from "
                f"{_short(before.get(key))} to {_short(after.get(key))}"
            )


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else value
    return f"sha256 {text[:12]}..." if len(text) == 64 else text
