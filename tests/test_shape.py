"""Code stays in pieces that fit a screen."""

import ast
from pathlib import Path

import pytest

import unspool

LONGEST_FUNCTION, LONGEST_FILE = 80, 370  # lines
ROOT = Path(unspool.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def long_functions(source: str) -> list[str]:
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lines = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    return [f"{name}: {count} lines" for name, count in lines.items() if count > LONGEST_FUNCTION]


def test_no_function_or_file_is_long():
    sources = {path: path.read_text() for path in FILES}
    assert not {p: long for p, source in sources.items() if (long := long_functions(source))}
    assert not [p for p, source in sources.items() if source.count("\n") > LONGEST_FILE]


@pytest.mark.parametrize("head", ["def f():", "async def f():", "class A:\n    def f(self):"])
def test_a_long_function_is_found(head: str):
    inner = "        " if "class" in head else "    "
    body = "".join(f"\n{inner}x = {i}" for i in range(LONGEST_FUNCTION))
    assert long_functions(head + body) == [f"f: {LONGEST_FUNCTION + 1} lines"]
    assert not long_functions(head + body.rsplit("\n", 1)[0])
