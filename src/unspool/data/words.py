"""What a word is: one definition for all that splits, counts or marks words.

A word is a run of letters, digits and connecting signs such as "_" (Unicode's L, N and Pc), with
the marks and invisible signs behind each: vowel signs, accents that are characters of their own,
joiners, soft hyphens (M and Cf). Behind a sign these belong to the sign, as in emoji. So it is in
UAX #29, whose rules for numbers, apostrophes and Katakana are left out. A zero width space, which
parts words in Thai, Khmer and Burmese, is white space.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import regex

LETTER = r"\p{L}\p{N}\p{Pc}"  # inside a character class of `regex`, as the next two
_INVISIBLE = "\u00ad\u061c\u180e\u200c-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0020-\U000e007f"
MARK = rf"\p{{M}}{_INVISIBLE}"
SPACE = r"\s\x1c-\x1f\u200b"  # what `str.isspace` and `re` call white space, and zero width space
FEW_REPEAT = 0.5  # share of words seen once from which characters are the better tokens
WORD_RULE = 2  # of new vocabularies; under rule 1, Python's \w, a mark ended a word

_OLD = {"w": r"\w+", "lazy": r"\w+?", "sign": r"[^\s\w]", "s": r"\s"}
_NEW = {
    "w": rf"[{LETTER}][{LETTER}{MARK}]*+",
    "lazy": rf"[{LETTER}][{LETTER}{MARK}]*?",
    "sign": rf"[^{SPACE}{LETTER}]",
    "s": SPACE,
}
# n't and the like stay whole in texts that are split already, and are split off in others.
_SPLIT = r"n't\b|'{w}|{lazy}(?=n't\b)|{w}|{sign}+"
_SPLITTERS: dict[int, Any] = {
    1: re.compile(_SPLIT.format(**_OLD)),
    2: regex.compile(_SPLIT.format(**_NEW)),
}
# A word or a run of signs with the one space before it, a newline, or other white space up
# to that space. Every character is in one of these, so the matches join up to the text.
_SPACED = r" ?<unk>| ?{w}| ?{sign}+|\n|(?:(?!\n)[{s}])+(?![^{s}])|(?:(?!\n)[{s}])+"
_SPACED_SPLITTERS: dict[int, Any] = {
    1: re.compile(_SPACED.format(**_OLD)),
    2: regex.compile(_SPACED.format(**_NEW)),
}
# For who reads, an apostrophe between letters is inside the word.
_WHOLE = regex.compile(rf"{_NEW['w']}(?:['’]{_NEW['w']})*+")
_LETTERS = regex.compile(rf"[{LETTER}]")
_MARKS = regex.compile(rf"[{MARK}]+")


def splitter(rule: int = WORD_RULE) -> Any:
    """The compiled pattern of the words and signs of a text, without white space."""
    return _SPLITTERS[rule]


def spaced_splitter(rule: int = WORD_RULE) -> Any:
    """The compiled pattern of words and signs with the space before them, and of white space."""
    return _SPACED_SPLITTERS[rule]


def words_of(text: str | Sequence[str], rule: int = WORD_RULE) -> Sequence[str]:
    """The words and signs of a text; a list of words is taken as it is."""
    return _SPLITTERS[rule].findall(text) if isinstance(text, str) else text


def words_seen_once(texts: Iterable[str | Sequence[str]]) -> float:
    """The share of the words of some texts that none has a second time.

    Little is to be learned of them; in languages without blanks most "words" are such.
    """
    counts = Counter(word.lower() for text in texts for word in words_of(text))
    return sum(count == 1 for count in counts.values()) / max(1, counts.total())


def characters_note(texts: Iterable[str | Sequence[str]]) -> list[str]:
    """That texts read as characters would be little as words."""
    once = words_seen_once(texts)
    note = f"tokens are characters: {once:.0%} of the words occur only once"
    return [note] if once > FEW_REPEAT else []


def one_spaced(text: str) -> str:
    """The text with single spaces, and none around it."""
    return " ".join(text.split())


def word_starts(text: str) -> list[int]:
    """The places of the first characters of the words of a text."""
    return [match.start() for match in _WHOLE.finditer(text)]


def without_marks(word: str) -> str:
    """The letters and signs of a word: what it would look like without its marks."""
    return _MARKS.sub("", word)


def is_word(token: str) -> bool:
    """Whether a token of `spaced_splitter` is a word, not signs or white space."""
    return _LETTERS.search(token) is not None
