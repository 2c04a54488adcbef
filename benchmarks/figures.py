"""Read results and format figures; no rounding is in our favour."""

import json
import math
import textwrap
from collections.abc import Iterable
from typing import Any

from .common import RESULTS

NEARLY = 1e-9  # tolerance for binary fractions: 0.29 * 100 is 28.999999999999996


def result(name: str) -> Any:
    """Read results/NAME.json."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def floor(value: float, digits: int = 0) -> str:
    """Round down, with thousands separators: for figures of which higher is better."""
    return f"{math.floor(value * 10**digits + NEARLY) / 10**digits:,.{digits}f}"


def ceil(value: float, digits: int = 0) -> str:
    """Round up: for figures of which lower is better."""
    return f"{math.ceil(value * 10**digits - NEARLY) / 10**digits:,.{digits}f}"


def percent(share: float, digits: int = 1) -> str:
    return f"{floor(100 * share, digits)} %"


def seconds(value: float) -> str:
    return f"{ceil(value, 1 if value < 10 else 0)} s"


def minutes(value: float) -> str:
    return f"{ceil(value / 60, 1 if value < 600 else 0)} min"


def parameters(count: int) -> str:
    return f"{ceil(count / 1e6, 1)} M" if count >= 10**6 else f"{ceil(count / 1e3)} K"


def table(*rows: Iterable[str]) -> str:
    """Format a Markdown table; the first row is its head."""
    head, *rest = (list(row) for row in rows)
    lines = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def item(text: str) -> str:
    """Format an item of a Markdown list."""
    return (
        textwrap.fill(
            text, 118, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
        + "\n"
    )


def paragraph(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False) + "\n"
