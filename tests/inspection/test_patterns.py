"""Custom regular expressions: matched as by `re`, within the time allowed."""

import re
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unspool.errors import ConfigError
from unspool.inspection import annotate, patterns

TEXT = (
    "if (x_{i} == a{e} && y[:alpha:]) { f(x{1,a}, {}, {,b}); } // TODO: {e<=1} \\frac{a}{b}\n"
    "class A: 'it''s' \"été\" 12,345.6 --x [a] ]] x{,} aaaa a{2} [[b]] ABC\n\n\tend]\n"
)
PIECES = [
    "a", "x", "_", " ", r"\d", r"\w", r"\s", r"\b", ".", "^", "$", "é", ",", "1", r"\\", r"\[",
    r"\{", "{", "{}", "{e}", "{i}", "{e<=1}", "{1,a}", "{2}", "{1,2}", "{,2}", "{1,}", "{,}", "[a]",
    "[^a]", "[]a]", "[^]a]", "[a-c[]", "[{]", r"[\]a]", r"[\[:b]", "(?:a|x)", "(a)", "*", "+?", "|",
    "}", "]", "(?=a)", "(?<!x)", "[:alpha:]", "[{e}]",
]  # fmt: skip


def spans(found):
    return [match.span() for match in found if match.end() > match.start()]


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize("pattern", [
    "x_{i}", "a{e}", "{e<=1}", "(?:a){e<=1}", "[[:alpha:]]", "[[:alpha:]]+]", "[^[:alpha:]]",
    r"\\frac{a}", "{}", "x{,}", "x{1,a}", "a{2}", r"[\[:alpha:]+", "[]{]", "TODO.*", r"(?i)abc",
    r"(?m)^\s*end", "[[b]]", r"\{e}", r"[\]{e}]",
])  # fmt: skip
def test_braces_and_brackets_are_what_re_takes_them_for(pattern):
    expected = spans(re.compile(pattern, re.MULTILINE).finditer(TEXT))
    assert spans(patterns.find(TEXT, "p", pattern)) == expected


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
def test_any_pattern_of_re_finds_what_re_finds(pattern):
    try:
        expected = spans(re.compile(pattern, re.MULTILINE).finditer(TEXT))
    except re.error:
        return
    assert spans(patterns.find(TEXT, "p", pattern)) == expected


@pytest.mark.parametrize("pattern", ["(", "*", "(" * 1000, "a{2,1}", r"\p{none}", "[a"])
def test_what_is_no_pattern_is_named(pattern):
    with pytest.raises(ConfigError, match=r"^pattern bad is not a regular expression: "):
        annotate(TEXT, patterns={"bad": pattern})


@pytest.mark.slow
def test_ctrl_c_ends_a_pattern_that_takes_for_ever():
    program = (
        "from unspool.inspection import annotate\nprint('on', flush=True)\n"
        "annotate('o' * 60, patterns={'bad': '((o{1,40}){1,40}){1,40}#'})\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout.readline() == b"on\n"
        time.sleep(0.3)  # it is among the matches now
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=10)
    assert b"KeyboardInterrupt" in said
