r"""Annotators against texts marked by hand: under each line of text, X where it holds.

Regions begin with their opening sign and end before the last character of their closing sign.
"""

import time

import numpy as np
import pytest

from unspool.errors import ConfigError
from unspool.inspection import annotate
from unspool.inspection.syntax import guess_language


def check(name, language, marked):
    """`marked` has a line of text and then one of its marks, again and again; a mark beyond a
    line's end is that of its newline.
    """
    rows = marked.split("\n")[1:-1]
    assert len(rows) % 2 == 0
    text = "".join(f"{line}\n" for line in rows[::2])
    found = annotate(text, language=language)[name].values
    at = 0
    for line, marks in zip(rows[::2], rows[1::2], strict=True):
        part = found[at : at + len(line) + 1]
        shown = "".join("X" if on else " " for on in part)
        assert shown.rstrip() == marks.rstrip(), f"{name} in {line!r}"
        at += len(line) + 1


def test_c_strings_and_comments():
    check("string", "c", r"""
printf("a\"b'", '"', '\'', x); // don't "stop"
       XXXXXX   XX   XXX
s = L"w" "/* no */" /* "no" 'c' */ + '\x41' + '\\';
     XX  XXXXXXXXX                   XXXXX    XXX
#include "file.h"
         XXXXXXX
p = "cut \
    XXXXXXX
here" + 'a';
XXXX    XX
""")  # fmt: skip
    check("comment", "c", """
a = b /*c*/ / d; /* one /* two */ e */ // f "
      XXXX       XXXXXXXXXXXXXXX       XXXXXX
x = "/*"; y = "//"; z = '/'; /* a
                             XXXXX
" */ g("*/");
XXX
""")  # fmt: skip
    check("quotes", "c", """
f("say", 'x', '"', "y");
  XXXX             XX
/* "no" */ // "no"

""")  # fmt: skip


def test_a_text_that_begins_inside_a_comment():
    text = " * tail */\nint x; /* y */\n"
    found = annotate(text, language="c")["comment"].values
    assert found[:9].all()
    assert not found[9:18].any()
    assert not annotate("a = 1; /* b */", language="c")["comment"].values[:7].any()


def test_c_conditions():
    check("if-condition", "c", """
if (a && (b || f(")"))) { while (x) y(); }
   XXXXXXXXXXXXXXXXXXX
} else if(!p/*)*/) q(); #if (z)
         XXXXXXXX
diff (a); if_x(b); "if (c)"; if(d
                               XXX
) e; // if (g)

""")  # fmt: skip


def test_python():
    check("string", "python", """
x = 'it\\\'s' + "a" # don't 'x'
    XXXXXX    XX
y = \"\"\"a "b" 'c' # d
    XXXXXXXXXXXXXXXXX
e\"\"\" if f else ''
XXX            X
""")  # fmt: skip
    check("comment", "python", """
x = '#' # 'a'
        XXXXX
""")  # fmt: skip
    check("if-condition", "python", """
if a[1:2] == {"b:": (lambda: c)}: d
XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX
  elif (y := 3): # if z:
  XXXXXXXXXXXXX
w = 1 if v else 2; s = "if q:"

""")  # fmt: skip


def test_latex():
    check("math", "latex", r"""
Costs \$5 and $x_1 + \$$ or $$a % $
              XXXXXXXXX     XXXXXXXX
b$$ and \(c\), \[d\] but \\[2pt] no; % $no$
XX      XXXX   XXXX
\begin{align*} e &= f \\ % $
XXXXXXXXXXXXXXXXXXXXXXXXXXXXX
\end{align*} \verb|$x$| and lone $ here
XXXXXXXXXXX


so $g$ is
   XX
""")  # fmt: skip
    check("environment", "latex", r"""
\begin{document} a \begin{proof} b \begin{eq*} c \end{eq*} d \end{proof} e
                   XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX
% \begin{no}

f \\begin{no} \begin{x}
              XXXXXXXXXX
\end{x} \end{document}
XXXXXX
""")  # fmt: skip
    check("comment", "latex", r"""
50\% of % all
        XXXXX
""")  # fmt: skip
    check("quotes", "latex", """
``It's `so','' he said
XXXXXXXXXXXXX
""")  # fmt: skip


def test_prose():
    check("quotes", "text", """
"Don't," she said. 'No.' 6" wide. “Oui,” "well
XXXXXXX                           XXXXX  XXXXXX
then," he said "unclosed
XXXXX          XXXXXXXXX


new "paragraph"
    XXXXXXXXXX
""")  # fmt: skip
    check("word start", "text", """
Don't stop o'clock 'quoted' x_1 2nd
X     X    X        X       X   X
""")  # fmt: skip
    check("URL", "text", """
See https://a.org/b_c?d=1#e, (http://f.g/h) or www.i.com. ftp
    XXXXXXXXXXXXXXXXXXXXXXX   XXXXXXXXXXXX     XXXXXXXXX
""")  # fmt: skip
    check("capital", "text", "\nAbC ÉÜ ßi\nX X XX\n")
    check("digit", "text", "\na1 22x\n X XX\n")
    assert "comment" not in annotate("a // b", language="text")


def test_lines():
    found = annotate("ab\n\n\t  c\nd", within=2)
    assert found["position in line"].values.tolist() == [1, 2, 0, 0, 1, 2, 3, 4, 0, 1]
    held = found["line about to end"].values.tolist()
    #       a  b  \n \n \t          c        d
    assert held == [True, True, True, False, False, False, True, True, False, False]
    assert found["indentation"].values.tolist() == [0, 0, 0, 0] + [10] * 5 + [0]


def test_brackets():
    def depth(text, language="c"):
        return annotate(text, language=language)["bracket depth"].values.astype(int).tolist()

    assert depth("a(b[c]{d})e") == [0, 1, 1, 2, 2, 1, 2, 2, 1, 0, 0]
    assert depth("f(\")\", '(') ;") == [0] + [1] * 9 + [0, 0, 0]
    assert depth(":) (a) (", "text") == [0, 0, 0, 1, 1, 0, 0, 0]
    assert depth("{ {a} \n" + "b" * 10_000) == [0, 0, 1, 1, 0] + [0] * 10_002
    far = "(" + "x" * 9_999 + ")"
    assert depth(far)[5] == 1
    assert depth("(" + far[0:1] + "x" * 10_001 + "))")[5] == 0
    assert depth(r"\{a\} \\[2pt] {b}", "latex")[:6] == [0] * 6
    assert depth(r"\{a\} \\[2pt] {b}", "latex")[-4:] == [0, 1, 1, 0]


def test_own_patterns_and_functions():
    text = "ab TODO x\nTODO"
    found = annotate(
        text,
        patterns={"todo": "^?TODO.*".removeprefix("^?"), "empty": "z*"},
        functions={
            "vowel": lambda t: np.array([c in "aeiou" for c in t]),
            "place": lambda t: range(len(t)),
        },
    )
    assert "".join("X" if on else " " for on in found["todo"].values) == "   XXXXXX XXXX"
    assert found["empty"].is_constant
    assert found["vowel"].is_binary
    assert found["place"].values[-1] == len(text) - 1
    for options, message in [
        ({"patterns": {"a": "("}}, "pattern a is not a regular expression"),
        ({"patterns": {"digit": "1"}}, "'digit' twice"),
        ({"functions": {"a": lambda t: [1]}}, "one value per character"),
        ({"functions": {"a": lambda t: np.full(len(t), np.nan)}}, "finite"),
        ({"language": "perl"}, "language must be one of c, python, latex, text"),
    ]:
        with pytest.raises(ConfigError, match=message):
            annotate(text, **options)


def test_languages_are_guessed():
    assert guess_language("#include <a.h>\n\nint f(void) {\n\treturn g(1);\n}\n") == "c"
    assert guess_language("import os\n\ndef f(x):\n    return x\n") == "python"
    assert guess_language("Let $x$ be\n\\begin{align}\na\n\\end{align}\n") == "latex"
    assert guess_language('ROMEO:\nFor if: I do;\nI don\'t; "so";\n\n') == "text"
    assert guess_language("") == "text"


def test_real_texts_are_marked_in_seconds(data_dir):
    for name, language in [("linux-kernel.txt", "c"), ("stacks-project.tex", "latex")]:
        text = (data_dir / name).read_text()[:500_000]
        began = time.perf_counter()
        assert guess_language(text) == language
        found = annotate(text)
        assert time.perf_counter() - began < 5  # 0.2 s
        assert not found["bracket depth"].is_constant
    nasty = "/*" + '"(' * 50_000 + "$`{\\begin{align}" * 10_000 + "\\[" * 10_000
    for language in ("c", "python", "latex", "text"):
        began = time.perf_counter()
        annotate(nasty, language=language)
        assert time.perf_counter() - began < 10
