"""The scanners of LaTeX and Python: what they found as regular expressions, in linear time."""

import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unspool.inspection import latex, syntax

MATH = "equation|align|alignat|flalign|gather|multline|eqnarray|displaymath|math|xalignat|xxalignat"
INSIDE = r"[^\\%$\n]|\\(?s:.)|%[^\n]*|\n(?![ \t]*\n)"
# The definition: right, but quadratic where signs are not closed.
LATEX = re.compile(
    r"(?P<verbatim>\\begin\{(verbatim\*?|lstlisting)\}(?s:.{0,20000}?)\\end\{\2\}"
    r"|\\verb\*?([^\w\s*])[^\n]{0,1000}?\3)"
    r"|(?P<comment>%[^\n]*)"
    rf"|(?P<math>\\begin\{{(?P<name>(?:{MATH})\*?)\}}(?s:.{{0,10000}}?)\\end\{{(?P=name)\}}"
    r"|\\\((?s:.{0,10000}?)\\\)|\\\[(?s:.{0,10000}?)\\\]"
    rf"|\$\$(?:{INSIDE}|\$(?!\$))*+\$\$|\$(?:{INSIDE})++\$)"
    r"|\\(?s:.)",
)
PYTHON = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r"|(?P<string>'''(?:[^\\]|\\(?s:.))*?(?:'''|\Z)|\"\"\"(?:[^\\]|\\(?s:.))*?(?:\"\"\"|\Z)"
    r"|'(?:[^'\\\n]|\\(?s:.))*+(?:'|$)|\"(?:[^\"\\\n]|\\(?s:.))*+(?:\"|$))",
    re.MULTILINE,
)
LATEX_PIECES = [
    "$", "$$", "$$$", "\\", "\\\\", "%", "\n", "\n\n", "\n \t\n", " ", "a", "x^2",
    r"\(", r"\)", r"\[", r"\]", r"\begin{align}", r"\end{align}", r"\begin{align*}",
    r"\end{align*}", r"\$",
    r"\begin{verbatim}", r"\end{verbatim}", r"\begin{lstlisting}", r"\end{lstlisting}", r"\%",
    r"\begin{lstlisting*}", r"\verb|", r"\verb*!", "|", "!", r"\verb\a", r"\verb$",
    r"\verbatiminput{a}", r"\begin{document}",
]  # fmt: skip
PYTHON_PIECES = ["'", '"', "'''", '"""', "\\", "\\\\", "#", "\n", "a", " ", "''", "\\'", '\\"']


def spans(pattern, text):
    found = {name: [] for name in ("verbatim", "comment", "math")}
    for m in pattern.finditer(text):
        if m.lastgroup is not None:
            found[m.lastgroup].append(m.span())
    return found


def texts(pieces):
    return st.lists(st.sampled_from(pieces), max_size=25).map("".join)


@settings(max_examples=1000)
@given(texts(LATEX_PIECES))
def test_latex_is_what_the_regular_expression_finds(text):
    assert latex.scan(text) == spans(LATEX, text)


@settings(max_examples=1000)
@given(texts(PYTHON_PIECES).map(lambda text: f"{text}\n"))
def test_python_is_what_the_regular_expression_finds(text):
    strings = [(m.lastgroup, m.span()) for m in PYTHON.finditer(text)]
    assert [(m.lastgroup, m.span()) for m in syntax._PYTHON.finditer(text)] == strings


def test_a_string_that_is_cut_after_a_backslash_is_a_string():
    (string,) = (m.span() for m in syntax._PYTHON.finditer("x = '''a\n b\\"))
    assert string == (4, 12)


def test_a_real_text_is_scanned_as_before():
    folder = os.environ.get("UNSPOOL_DATA")
    if folder is None or not (Path(folder) / "stacks-project.tex").exists():
        pytest.skip("set UNSPOOL_DATA to the directory of the real texts")
    text = (Path(folder) / "stacks-project.tex").read_text(errors="replace")[:1_000_000]
    assert latex.scan(text) == spans(LATEX, text)


ARROWS = "".join(f"\\verb{chr(code)}" for code in range(0x2190, 0x2BFF))
ODD = [
    ("latex", r"\("), ("latex", r"\["), ("latex", r"\begin{equation} "), ("latex", r"\begin{a "),
    ("latex", r"\begin{verbatim} "), ("latex", ARROWS), ("latex", "\\verb|%|$$\n"),
    ("latex", "$ a\n"),
    ("latex", r"\verb\a\$"), ("latex", "$$ a "), ("latex", r"\verb!a "), ("latex", "$%"),
    ("python", "\\'''\n"), ("python", '\\"""\n'), ("python", "'''a\\"),
    ("python", " " * 90 + "if\n"),
    ("c", '"a\\'), ("c", "/*a"), ("c", "'\\x0"), ("c", "#  "), ("c", "if  "), ("c", "//\\"),
    ("text", "“a "), ("text", '" a\\'), ("text", "``a"), ("text", "\n  "),
]  # fmt: skip


def seconds(language, text):
    taken = []
    for _ in range(3):
        began = time.process_time()
        syntax.annotate(text, language)
        syntax.guess_language(text)
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize(("language", "piece"), ODD, ids=lambda value: value[:12])
def test_scanners_are_linear_on_odd_texts(language, piece):
    short, long = (
        (piece * (length // len(piece) + 1))[:length] + "\\" for length in (20_000, 80_000)
    )
    assert seconds(language, long) < 8 * seconds(language, short) + 0.05
