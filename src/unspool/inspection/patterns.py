r"""Custom regular expressions, in the language of `re`, stopped if they take too long.

The package `regex` runs them, since it can be stopped and lets other threads and Ctrl-C through.
Its \w includes combining marks, as words do everywhere else in Unspool.
"""

import re
from collections.abc import Iterator
from typing import Any

import regex

from ..errors import ConfigError
from ..limits import MAX_PATTERN_CHARS, PATTERN_SECONDS

# An escape, a class, or a brace that is not a repetition.
_PIECE = re.compile(
    r"\\[pPN]\{[^}]*\}|\\(?s:.)"
    r"|(?P<class>\[\^?\]?(?:\\(?s:.)|[^\]\\])*+\])"
    r"|(?P<brace>\{(?!\d+(?:,\d*)?\}|,\d*\}))"
)
_BRACKET = re.compile(r"\\(?s:.)|(?<!^)\[")


def find(text: str, name: str, pattern: str) -> Iterator[Any]:
    """Yield the matches of a pattern in a text (re.MULTILINE), in order.

    Raises ConfigError, naming the pattern, if it is too long, is not a regular expression, or takes
    more than `PATTERN_SECONDS` in all.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ConfigError(f"pattern {name} must have at most {MAX_PATTERN_CHARS:,} characters")
    try:
        compiled = regex.compile(_as_re_has_it(pattern), regex.MULTILINE | regex.VERSION0)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise ConfigError(f"pattern {name} is not a regular expression: {error}") from error
    try:
        yield from compiled.finditer(text, timeout=PATTERN_SECONDS, concurrent=True)
    except TimeoutError as error:
        raise ConfigError(
            f"pattern {name} takes more than {PATTERN_SECONDS} s on this text", "make it simpler"
        ) from error


def _as_re_has_it(pattern: str) -> str:
    r"""Escape what only `regex` knows in a pattern: x_{i} (a fuzzy match), [[:alpha:]]."""
    return _PIECE.sub(_literal, pattern)


def _literal(piece: re.Match[str]) -> str:
    if piece["brace"]:
        return r"\{"
    if piece["class"]:
        return _BRACKET.sub(lambda m: r"\[" if m[0] == "[" else m[0], piece[0])
    return piece[0]
