"""Turn matches in a text into arrays of marks over its characters."""

import re
from collections.abc import Iterable

import numpy as np


def codes(text: str) -> np.ndarray:
    """Return the code point of every character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def mark(length: int, starts: Iterable[int], stops: Iterable[int]) -> np.ndarray:
    """Mark from each start to before its stop; stretches may overlap."""
    return depth(length, starts, stops) > 0


def depth(length: int, starts: Iterable[int], stops: Iterable[int]) -> np.ndarray:
    """Count how many stretches each place is in."""
    change = np.zeros(length + 1, np.int32)
    np.add.at(change, np.fromiter(starts, np.int64), 1)
    np.add.at(change, np.fromiter(stops, np.int64), -1)
    return np.cumsum(change[:-1])


def starts_and_ends(length: int, matches: Iterable[re.Match[str]]) -> np.ndarray:
    """Mark the inside of matches."""
    spans = [match.span() for match in matches]
    return mark(length, (a for a, _ in spans), (b for _, b in spans))


def pairs(opens: np.ndarray, closes: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of brackets and of their partners, given all opening and closing places.

    Brackets without a partner, or more than `longest` characters from it, are left out. At each
    level of nesting, opening and closing brackets alternate, so partners are neighbours there.
    """
    place = np.concatenate([opens, closes])
    step = np.repeat([1, -1], [len(opens), len(closes)])
    order = np.argsort(place, kind="stable")
    place, step = place[order], step[order]
    level = np.cumsum(step) + (step < 0)
    order = np.argsort(level, kind="stable")
    place, step, level = place[order], step[order], level[order]
    partners = (step[:-1] > 0) & (step[1:] < 0) & (level[:-1] == level[1:])
    partners &= place[1:] - place[:-1] <= longest
    return place[:-1][partners], place[1:][partners]
