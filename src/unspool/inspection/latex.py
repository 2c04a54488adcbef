r"""Find comments, verbatim text and formulas in LaTeX, in one pass, linear in the text.

An opening sign that is not closed is skipped, as if it were not one. Failed searches are
remembered: no part of the text is searched for the same sign twice.
"""

import re
from collections.abc import Callable

Spans = list[tuple[int, int]]

LONGEST_VERBATIM, LONGEST_VERB, LONGEST_FORMULA = 20_000, 1_000, 10_000
_MATH = (
    "equation|align|alignat|flalign|gather|multline|eqnarray|displaymath|math|xalignat|xxalignat"
)
_SIGN = re.compile(
    r"(?P<comment>%[^\n]*)"
    rf"|\\begin\{{(?P<name>verbatim\*?|lstlisting|(?:{_MATH})\*?)\}}"
    r"|\\verb\*?(?P<delimiter>[^\w\s*])"
    r"|\\(?P<bracket>[(\[])"
    r"|(?P<dollars>\$\$?)"
    r"|\\(?s:.)"
)
_CLOSING = {"(": r"\)", "[": r"\]"}
_PLAIN = re.compile(r"[^\\%$\n]*")
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")  # TeX does not allow one in a formula


def scan(text: str) -> dict[str, Spans]:
    """Return the bounds of each "comment", "verbatim" and "math": first character, after the
    last.
    """
    found: dict[str, Spans] = {"comment": [], "verbatim": [], "math": []}
    following = _following(text)
    formula = {sign: _formula(text, sign) for sign in ("$", "$$")}

    def end_of(sign: re.Match[str]) -> tuple[str, int | None]:
        begun = sign.end()
        if sign["comment"]:
            return "comment", begun
        if sign["dollars"]:
            return "math", formula[sign["dollars"]](begun)
        if sign["delimiter"]:
            most = min(following("\n", begun), begun + LONGEST_VERB + 1)
            place = text.find(sign["delimiter"], begun, most)
            return "verbatim", place + 1 if place >= 0 else None
        if sign["bracket"] or sign["name"]:
            closing = _CLOSING[sign["bracket"]] if sign["bracket"] else rf"\end{{{sign['name']}}}"
            is_verbatim = (sign["name"] or "").startswith(("verb", "lst"))
            place = following(closing, begun)
            longest = LONGEST_VERBATIM if is_verbatim else LONGEST_FORMULA
            end = place + len(closing) if place - begun <= longest else None
            return "verbatim" if is_verbatim else "math", end
        return "", None

    at = 0
    while (sign := _SIGN.search(text, at)) is not None:
        kind, end = end_of(sign)
        if end is None:
            at = sign.start() + (1 if sign["dollars"] else 2)
        else:
            found[kind].append((sign.start(), end))
            at = end
    return found


def _following(text: str) -> Callable[[str, int], int]:
    """Return a function that finds the next sign, for growing places; if none, far beyond the
    end.
    """
    known: dict[str, int] = {}

    def following(sign: str, at: int) -> int:
        if known.get(sign, -1) < at:
            place = text.find(sign, at)
            known[sign] = place if place >= 0 else 2 * len(text) + LONGEST_VERBATIM
        return known[sign]

    return following


def _formula(text: str, sign: str) -> Callable[[int], int | None]:
    """Return a function that finds the end of the formula that begins at a place, after `sign`;
    None if it is not closed.

    Escapes, comments and characters are read one after the other. A place that an earlier search
    passed without finding the sign does not lead to it either.
    """
    in_vain = bytearray(len(text) + 1)

    def end_of(begun: int) -> int | None:
        at, passed = begun, []
        while (at := _end(_PLAIN, text, at)) < len(text) and not in_vain[at]:
            if text[at] == "$" and text.startswith(sign, at):
                if at + len(sign) > begun + 1:  # $$ is not an empty formula, $$$$ is
                    return at + len(sign)
                break
            if text[at] == "\n" and _EMPTY_LINE.match(text, at):
                break
            passed.append(at)
            at = _after(text, at)
        for place in passed:
            in_vain[place] = 1
        return None

    return end_of


def _after(text: str, at: int) -> int:
    """Return the place after an escape, a comment or a single sign."""
    if text[at] == "%":
        end = text.find("\n", at)
        return end if end >= 0 else len(text)
    return min(at + (2 if text[at] == "\\" else 1), len(text))


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
