"""Define what a word is, for everything that splits, counts or marks words.

A word is a run of letters, digits and connectors such as "_" (Unicode's L, N and Pc), with the
marks and invisible characters after each: vowel signs, combining accents, joiners, soft hyphens (M
and Cf). After a sign these belong to the sign, as in emoji. This follows UAX #29, without its rules
for numbers, apostrophes and Katakana. A zero width space, which separates words in Thai, Khmer and
Burmese, is white space.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import regex

LETTER = r"\p{L}\p{N}\p{Pc}"  # for use inside a character class of `regex`, like the next two
_INVISIBLE = "\u00ad\u061c\u180e\u200c-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0020-\U000e007f"
MARK = rf"\p{{M}}{_INVISIBLE}"
SPACE = r"\s\x1c-\x1f\u200b"  # white space for `str.isspace` and `re`, and zero width space
FEW_REPEAT = 0.5  # share of words seen once above which characters are better tokens
WORD_RULE = 2  # rule of new vocabularies; under rule 1, Python's \w, a mark ended a word

_OLD = {"w": r"\w+", "lazy": r"\w+?", "sign": r"[^\s\w]", "s": r"\s"}
_NEW = {
    "w": rf"[{LETTER}][{LETTER}{MARK}]*+",
    "lazy": rf"[{LETTER}][{LETTER}{MARK}]*?",
    "sign": rf"[^{SPACE}{LETTER}]",
    "s": SPACE,
}
# n't and the like stay whole in texts that are already split, and are split off in others.
_SPLIT = r"n't\b|'{w}|{lazy}(?=n't\b)|{w}|{sign}+"
_SPLITTERS: dict[int, Any] = {
    1: re.compile(_SPLIT.format(**_OLD)),
    2: regex.compile(_SPLIT.format(**_NEW)),
}
# A word or a run of signs with the one space before it, a newline, or other white space up to
# that space. Every character is in one of these, so the matches join up to the text.
_SPACED = r" ?<unk>| ?{w}| ?{sign}+|\n|(?:(?!\n)[{s}])+(?![^{s}])|(?:(?!\n)[{s}])+"
_SPACED_SPLITTERS: dict[int, Any] = {
    1: re.compile(_SPACED.format(**_OLD)),
    2: regex.compile(_SPACED.format(**_NEW)),
}
# For readers, an apostrophe between letters is inside the word.
_WHOLE = regex.compile(rf"{_NEW['w']}(?:['’]{_NEW['w']})*+")
_LETTERS = regex.compile(rf"[{LETTER}]")
_MARKS = regex.compile(rf"[{MARK}]+")


def splitter(rule: int = WORD_RULE) -> Any:
    """Return the compiled pattern of the words and signs of a text, without white space."""
    return _SPLITTERS[rule]


def spaced_splitter(rule: int = WORD_RULE) -> Any:
    """Return the compiled pattern of words and signs with the space before them, or white space."""
    return _SPACED_SPLITTERS[rule]


def words_of(text: str | Sequence[str], rule: int = WORD_RULE) -> Sequence[str]:
    """Return the words and signs of a text; a list of words is returned unchanged."""
    return _SPLITTERS[rule].findall(text) if isinstance(text, str) else text


def words_seen_once(texts: Iterable[str | Sequence[str]]) -> float:
    """Return the share of the words of some texts that occur only once.

    Little can be learned about them; in scripts without spaces most "words" are like that.
    """
    counts = Counter(word.lower() for text in texts for word in words_of(text))
    return sum(count == 1 for count in counts.values()) / max(1, counts.total())


def characters_note(texts: Iterable[str | Sequence[str]]) -> list[str]:
    """Note that texts are read as characters because their words hardly repeat."""
    once = words_seen_once(texts)
    note = f"tokens are characters: {once:.0%} of the words occur only once"
    return [note] if once > FEW_REPEAT else []


def one_spaced(text: str) -> str:
    """Return the text with single spaces, and none around it."""
    return " ".join(text.split())


def word_starts(text: str) -> list[int]:
    """Return the places of the first characters of the words of a text."""
    return [match.start() for match in _WHOLE.finditer(text)]


def without_marks(word: str) -> str:
    """Return the letters and signs of a word, without its marks."""
    return _MARKS.sub("", word)


def is_word(token: str) -> bool:
    """Say whether a token of `spaced_splitter` is a word, not signs or white space."""
    return _LETTERS.search(token) is not None
