"""Annotate each character of a text: in quotes, in a comment, how deep in brackets, ..."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.words import word_starts
from ..errors import ConfigError
from . import patterns, syntax
from .marks import codes, starts_and_ends

WITHIN = 10  # a line is about to end within this many characters
TAB = 8

_URL = re.compile(r"\b(?:https?|ftp)://[^\s<>\"{}|\\^`]*[\w/=&#~+-]|\bwww\.[^\s<>\"{}|\\^`]*[\w/]")
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Annotation:
    """A value for every character of a text: bool, or float32 for a number.

    It is compared with the state after that character was read. So a region begins with its opening
    sign and ends before the last character of its closing sign, after which the model has left it.
    """

    name: str
    values: np.ndarray
    meaning: str

    @property
    def is_binary(self) -> bool:
        """Say whether it is scored by AUC rather than by rank correlation."""
        return self.values.dtype == bool

    @property
    def is_constant(self) -> bool:
        """Say whether it has the same value everywhere in this text."""
        return len(self.values) == 0 or bool((self.values == self.values[0]).all())


def annotate(
    text: str,
    *,
    language: str | None = None,
    patterns: Mapping[str, str] | None = None,
    functions: Mapping[str, Callable[[str], Any]] | None = None,
    within: int = WITHIN,
) -> dict[str, Annotation]:
    r"""Return all annotations of a text by name, including custom ones.

    - position in line: characters of the line read so far; 0 after its newline
    - line about to end: the next newline is 1 to `within` characters away
    - indentation: columns of white space that begin the line, tabs to multiples of 8
    - bracket depth: pairs of (), [], {} around; brackets without a partner within 10,000
      characters do not count, nor do those in strings and comments
    - word start, capital, digit: the character itself; an apostrophe is part of its word
    - URL: inside http://, https://, ftp:// or www. addresses
    - quotes: between double quotation marks; in texts also “ ” and ``  ''
    - comment, string, if-condition: in C and Python
    - math, environment: in LaTeX, between $, $$, \( \), \[ \] or in a mathematical environment;
      between any \begin and \end except those of the document

    `language` is "c", "python", "latex" or "text", by default guessed: see `syntax.guess_language`.
    `patterns` name regular expressions (re.MULTILINE) whose matches are marked, with at most
    `limits.MAX_PATTERN_CHARS` characters and `limits.PATTERN_SECONDS`. `functions` map the text to
    an array of bool or of numbers, one per character. Raises ConfigError if one is invalid.

        annotate(text, patterns={"todo": r"TODO.*"})["todo"].values
    """
    language = syntax.guess_language(text) if language is None else language
    made = _lines(text, within) + _characters(text) + syntax.annotate(text, language)
    made += [
        (name, _matched(text, name, p), f"matches {p}") for name, p in (patterns or {}).items()
    ]
    made += [
        (name, _called(text, name, function), f"{getattr(function, '__name__', 'a function')}")
        for name, function in (functions or {}).items()
    ]
    found = {name: Annotation(name, values, meaning) for name, values, meaning in made}
    if len(found) < len(made):
        raise ConfigError(f"annotations must have different names, got {_twice(made)!r} twice")
    return found


Made = list[tuple[str, np.ndarray, str]]


def _lines(text: str, within: int) -> Made:
    place = np.arange(len(text))
    newlines = np.flatnonzero(codes(text) == ord("\n"))
    before = np.concatenate([[-1], newlines])  # the newline before each line
    line = np.searchsorted(newlines, place, side="left")
    column = place - before[line] - 1  # a newline belongs to the line it ends
    is_newline = np.zeros(len(text), bool)
    is_newline[newlines] = True
    after = np.concatenate([newlines, [len(text) + within]])
    distance = after[np.searchsorted(newlines, place, side="right")] - place
    indents = np.zeros(len(before), np.float32)
    begun = list(_INDENT.finditer(text))
    lines = np.searchsorted(newlines, np.array([match.start() for match in begun], np.int64))
    indents[lines] = [len(match[0].expandtabs(TAB)) for match in begun]
    return [
        ("position in line", np.where(is_newline, 0, column + 1).astype(np.float32), "column"),
        ("line about to end", distance <= within, f"a newline within {within} characters"),
        ("indentation", indents[line], "columns of white space before the line"),
    ]


def _characters(text: str) -> Made:
    kinds, kind = np.unique(codes(text), return_inverse=True)

    def where(test: Callable[[str], bool]) -> np.ndarray:
        return np.array([test(chr(code)) for code in kinds], bool)[kind]

    first = np.zeros(len(text), bool)
    first[word_starts(text)] = True
    return [
        ("word start", first, "the first character of a word"),
        ("capital", where(str.isupper), "a capital letter"),
        ("digit", where(str.isdigit), "a digit"),
        ("URL", starts_and_ends(len(text), _URL.finditer(text)), "inside a web address"),
    ]


def _matched(text: str, name: str, pattern: str) -> np.ndarray:
    return starts_and_ends(len(text), patterns.find(text, name, pattern))


def _called(text: str, name: str, function: Callable[[str], Any]) -> np.ndarray:
    values = np.asarray(function(text))
    if values.shape != (len(text),):
        raise ConfigError(
            f"annotation {name} must have one value per character, shape ({len(text)},), "
            f"got {values.shape}"
        )
    if values.dtype == bool:
        return values
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise ConfigError(f"annotation {name} must be bool or finite numbers, got {values.dtype}")
    return values.astype(np.float32)


def _twice(made: Made) -> str:
    names = [name for name, _, _ in made]
    return next(name for name in names if names.count(name) > 1)
