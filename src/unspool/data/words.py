"""What a word is: one definition for all that splits, counts or marks words.

A word is a run of letters, digits, underscores and the marks that belong to them: vowel signs and
accents that are characters of their own, and the joiners inside words of Indic scripts and Persian
(Unicode's L, N, M and Pc; UAX #29 does not break before marks and joiners either).
"""

import re
from collections.abc import Sequence
from typing import Any

import regex

LETTER = r"\w\p{M}\p{N}\u200c\u200d"  # inside a character class of `regex`
SPACE = r"\s\x1c-\x1f"  # what `str.isspace` and `re` call white space
WORD_RULE = 2  # of new vocabularies; under rule 1, Python's \w, a mark ended a word

# n't and the like stay whole in texts that are split already, and are split off in others.
_SPLIT = r"n't\b|'[{w}]+|[{w}]+?(?=n't\b)|[{w}]+|[^{w}{s}]+"
_SPLITTERS: dict[int, Any] = {
    1: re.compile(_SPLIT.format(w=r"\w", s=r"\s")),
    2: regex.compile(_SPLIT.format(w=LETTER, s=SPACE)),
}
# A word or a run of signs with the one space before it, a newline, or other white space up
# to that space. Every character is in one of these, so the matches join up to the text.
_SPACED = r" ?<unk>| ?[{w}]+| ?[^{s}{w}]+|\n|(?:(?!\n)[{s}])+(?![^{s}])|(?:(?!\n)[{s}])+"
_SPACED_SPLITTERS: dict[int, Any] = {
    1: re.compile(_SPACED.format(w=r"\w", s=r"\s")),
    2: regex.compile(_SPACED.format(w=LETTER, s=SPACE)),
}
_LETTERS = regex.compile(rf"[{LETTER}]")


def splitter(rule: int = WORD_RULE) -> Any:
    """The compiled pattern of the words and signs of a text, without white space."""
    return _SPLITTERS[rule]


def spaced_splitter(rule: int = WORD_RULE) -> Any:
    """The compiled pattern of words and signs with the space before them, and of white space."""
    return _SPACED_SPLITTERS[rule]


def words_of(text: str | Sequence[str], rule: int = WORD_RULE) -> Sequence[str]:
    """The words and signs of a text; a list of words is taken as it is."""
    return _SPLITTERS[rule].findall(text) if isinstance(text, str) else text


def is_letter(char: str) -> bool:
    """Whether a character can be part of a word."""
    return _LETTERS.match(char) is not None
