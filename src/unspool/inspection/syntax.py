r"""Annotations that depend on the language of a text: C, Python, LaTeX, or plain text.

Each language is a few regular expressions (for LaTeX `latex.scan`) that skip what could be mistaken
(escapes, strings in comments, comments in strings), used as a scanner: linear in the text.
"""

import re
from collections.abc import Callable, Iterable

import numpy as np

from ..errors import ConfigError
from . import latex
from .marks import codes, depth, mark, pairs, starts_and_ends

LONGEST_PAIR = 10_000  # characters between brackets; #ifdef and smileys leave some unmatched
GUESS_FROM = 200_000

Made = list[tuple[str, np.ndarray, str]]
Match = re.Match[str]

# A character constant has one character or an escape, so that apostrophes in prose are none.
# A string ends with its line or with the text, even after a backslash: no text is scanned twice.
_C = re.compile(
    r"(?P<comment>/\*(?s:.*?)(?:\*/|\Z)|//(?:[^\\\n]|\\(?s:.))*+)"
    r'|(?P<string>"(?:[^"\\\n]|\\(?s:.))*+(?:"|$|\\\Z)'
    r"|(?<!\w)(?:L|u8?|U)?'(?:[^'\\\n]|\\(?:[0-7]{1,3}|x[0-9a-fA-F]+|u[0-9a-fA-F]{4}|.))')",
    re.MULTILINE,
)
_C_IF = re.compile(r"\#[ \t]*(?:el)?if|\b(if)\s*\(")

_PYTHON = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r"|(?P<string>'''(?:[^\\']|\\(?s:.)|'(?!''))*+(?:'''|\\?\Z)"
    r'|"""(?:[^\\"]|\\(?s:.)|"(?!""))*+(?:"""|\\?\Z)'
    r"|'(?:[^'\\\n]|\\(?s:.))*+(?:'|$|\\\Z)|\"(?:[^\"\\\n]|\\(?s:.))*+(?:\"|$|\\\Z))",
    re.MULTILINE,
)
_PYTHON_IF = re.compile(r"^[ \t]*((?:el)?if)\b", re.MULTILINE)

_ENVIRONMENT = re.compile(r"\\(begin|end)\{(?!document\})[^}\n]*+(\})?|%[^\n]*|\\(?s:.)")
_ESCAPED = re.compile(r"\\[^\w\s]")

_QUOTES = re.compile(
    r'(?<![\w.,;:!?])"(?:[^"\\\n]|\\.|\n(?![ \t]*\n))*+"?'
    r"|“(?:[^“”\n]|\n(?![ \t]*\n))*+”?"
    r"|``(?:[^`'\n]|`(?!`)|'(?!')|\n(?![ \t]*\n))*+(?:'')?"
)


def guess_language(text: str) -> str:
    """Return "c", "python" or "latex", whichever has most signs in the first 200,000 characters.

    Signs of C: lines that begin with } or a directive, or end with ); or {. Of Python: lines that
    begin with def, class, import, return or @, and others that end with a colon. Of LaTeX: commands
    and displayed formulas. A text with fewer signs than one per ten lines is "text".
    """
    head = text[:GUESS_FROM]
    lines = head.count("\n") + 1
    counts = {name: len(sign.findall(head)) / lines for name, sign in _SIGNS.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] > 0.1 else "text"


_SIGNS = {
    "c": re.compile(
        r"^[ \t]*\}|^[ \t]*\#[ \t]*(?:include|define|if|endif)|(?:\);|\{)$", re.MULTILINE
    ),
    "python": re.compile(
        r"^[ \t]*(?:(?:def|class|import|return|@\w+)\b|(?:if|for|while|with|else|try)\b.*:$)",
        re.MULTILINE,
    ),
    "latex": re.compile(r"\\(?:[a-zA-Z]{2,}|[\[\]()])"),
}


def annotate(text: str, language: str) -> Made:
    """Return name, values and meaning of each annotation of this language."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise ConfigError(f"language must be one of {known}, got {language!r}")
    return LANGUAGES[language](text)


def _c(text: str) -> Made:
    found = _scan(_C, text)
    length = len(text)
    comment, string = _before_last(length, found["comment"]), _before_last(length, found["string"])
    # Line comments have no closing sign, and a text may begin inside a comment.
    comment |= starts_and_ends(length, (m for m in found["comment"] if m[0].startswith("//")))
    begins, ends = text.find("/*"), text.find("*/")
    if ends >= 0 and (begins < 0 or ends < begins):
        comment[: ends + 1] = True
    hidden = comment | string
    pair = _all_pairs(text, hidden)
    closing = dict(zip(*(side.tolist() for side in pair["("]), strict=True))
    found_if = [m.end() - 1 for m in _C_IF.finditer(text) if m[1] and not hidden[m.start()]]
    conditions = [at for at in found_if if at in closing]
    inside = mark(length, conditions, [closing[at] for at in conditions])
    quotes = _before_last(length, (m for m in found["string"] if m[0].startswith('"')))
    return [
        ("quotes", quotes, "inside a double-quoted string"),
        ("string", string, "inside a string or character constant"),
        ("comment", comment, "inside /* */ or after //"),
        ("if-condition", inside, "between the brackets after `if`"),
        _bracket_depth(length, pair),
    ]


def _python(text: str) -> Made:
    found = _scan(_PYTHON, text)
    length = len(text)
    comment = starts_and_ends(length, found["comment"])
    string = _before_last(length, found["string"])
    hidden = comment | string
    pair = _all_pairs(text, hidden)
    around = _bracket_depth(length, pair)
    starts, stops = _python_conditions(text, hidden, around[1])
    quotes = _before_last(length, (m for m in found["string"] if m[0].startswith('"')))
    return [
        ("quotes", quotes, "inside a double-quoted string"),
        ("string", string, "inside a string"),
        ("comment", comment, "after #"),
        ("if-condition", mark(length, starts, stops), "between `if` or `elif` and its colon"),
        around,
    ]


def _python_conditions(text: str, hidden: np.ndarray, around: np.ndarray) -> tuple[list[int], ...]:
    """Find, from each `if` that begins a line, the colon at the same bracket depth."""
    code = codes(text)
    colon = (code == ord(":")) & ~hidden
    colon[:-1] &= code[1:] != ord("=")
    places = np.flatnonzero(colon & (around == 0))
    starts, stops = [], []
    for m in _PYTHON_IF.finditer(text):
        at = np.searchsorted(places, m.end())
        if not hidden[m.start(1)] and at < len(places):
            starts.append(m.start(1))
            stops.append(int(places[at]))
    return starts, stops


def _latex(text: str) -> Made:
    found = latex.scan(text)
    length = len(text)
    comment, verbatim = (mark(length, *_sides(found[name])) for name in ("comment", "verbatim"))
    hidden = comment | verbatim
    escaped = np.zeros(length, bool)
    escaped[[m.end() - 1 for m in _ESCAPED.finditer(text)]] = True
    return [
        ("quotes", _prose_quotes(text), "between `` and '', or double quotation marks"),
        ("math", mark(length, *_sides(found["math"], -1)), "inside a formula"),
        ("environment", _environments(text), r"between \begin and \end"),
        ("comment", comment, "after %"),
        _bracket_depth(length, _all_pairs(text, hidden | escaped)),
    ]


def _environments(text: str) -> np.ndarray:
    """Mark from each \begin to the \\ of its \\end."""
    found = [m for m in _ENVIRONMENT.finditer(text) if m[2]]
    opens = np.array([m.start() for m in found if m[1] == "begin"], np.int64)
    ends = np.array([m.end() - 1 for m in found if m[1] == "end"], np.int64)
    return mark(len(text), *pairs(opens, ends, len(text)))


def _plain(text: str) -> Made:
    pair = _all_pairs(text, np.zeros(len(text), bool))
    quotes = _prose_quotes(text)
    return [
        ("quotes", quotes, "between double quotation marks"),
        _bracket_depth(len(text), pair),
    ]


def _prose_quotes(text: str) -> np.ndarray:
    """Mark from an opening quotation mark to before the closing one, or to the paragraph's end."""
    spans = [(m.start(), m.end() - len(_closing(m[0]))) for m in _QUOTES.finditer(text)]
    return mark(len(text), (a for a, _ in spans), (b for _, b in spans))


def _closing(quote: str) -> str:
    """Return the part of a quotation after which it is over."""
    for sign, closed in (('"', '"'), ("“", "”"), ("``", "'")):
        if quote.startswith(sign) and len(quote) > len(sign) and quote.endswith(closed):
            return closed
    return ""


LANGUAGES: dict[str, Callable[[str], Made]] = {
    "c": _c,
    "python": _python,
    "latex": _latex,
    "text": _plain,
}


def _scan(scanner: re.Pattern[str], text: str) -> dict[str, list[Match]]:
    """Return the matches of each named group that is a whole alternative."""
    found: dict[str, list[Match]] = {name: [] for name in scanner.groupindex}
    for m in scanner.finditer(text):
        if m.lastgroup is not None:  # the outermost, since it closes last
            found[m.lastgroup].append(m)
    return found


def _before_last(length: int, matches: Iterable[Match]) -> np.ndarray:
    """Mark the inside of matches, except their last character, the end of the closing sign."""
    spans = [m.span() for m in matches]
    return mark(length, (a for a, _ in spans), (b - 1 for _, b in spans))


def _sides(spans: latex.Spans, more: int = 0) -> tuple[list[int], list[int]]:
    """Return the first places and the ends, `more` characters later."""
    return [a for a, _ in spans], [b + more for _, b in spans]


def _all_pairs(text: str, hidden: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    code = np.where(hidden, 0, codes(text))
    return {
        opening: pairs(
            np.flatnonzero(code == ord(opening)), np.flatnonzero(code == ord(closing)), LONGEST_PAIR
        )
        for opening, closing in ("()", "[]", "{}")
    }


def _bracket_depth(
    length: int, pair: dict[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[str, np.ndarray, str]:
    total = sum(depth(length, *both) for both in pair.values())
    return "bracket depth", np.asarray(total, np.float32), "pairs of brackets around"
