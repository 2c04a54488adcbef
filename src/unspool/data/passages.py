"""Detect whether a text to evaluate on is part of the training text."""

from collections.abc import Iterator

import numpy as np

from .vocab import Tokens

PASSAGES, PASSAGE = 20, 64  # how many to search for, and tokens in each
_BLOCK = 1 << 24  # tokens in memory


def passages_note(train: Tokens, other: Tokens, what: str) -> list[str]:
    """Note how many evenly spaced passages of a text are in the training part too."""
    passages = list(_passages(other))
    found: set[int] = set()
    for begin in range(0, len(train), _BLOCK):
        block = train[begin : begin + _BLOCK + PASSAGE].tobytes()
        found |= {i for i, passage in enumerate(passages) if i not in found and passage in block}
    if not found:
        return []
    return [
        f"{len(found)} of {len(passages)} passages of {PASSAGE} tokens of the {what} are in the "
        "training part too"
    ]


def _passages(tokens: Tokens) -> Iterator[bytes]:
    count = min(PASSAGES, len(tokens) // PASSAGE)
    for start in np.linspace(0, len(tokens) - PASSAGE, count, dtype=np.int64):
        yield tokens[start : start + PASSAGE].tobytes()
