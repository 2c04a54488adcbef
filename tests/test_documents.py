"""What the documents show works: commands parse, links lead somewhere, examples in Python run."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from unspool.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "SECURITY.md",
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
EXAMPLES = ("README.md", "docs/inspecting.md")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ {4}(?:[^#\n]*\| )?(unspool .*)$", re.MULTILINE)


def page(name):
    return (ROOT / name).read_text()


def commands():
    """Every indented line of the documents that calls `unspool`, as words."""
    lines = [line for name in PAGES for line in COMMAND.findall(page(name))]
    return sorted({tuple(shlex.split(line, comments=True)) for line in lines})


def test_the_readme_is_short_and_has_both_commands():
    lines = page("README.md").splitlines()
    assert len(lines) <= 120
    assert "    make demo" in lines
    assert any(line.startswith("    make test ") for line in lines)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files(name):
    for link in LINK.findall(page(name)):
        assert ((ROOT / name).parent / link).exists(), link


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_parses(words):
    command, rest = typer.main.get_command(app), list(words[1:])
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest)  # raises for unknown options and wrong values


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("shakespeare.txt").write_text("ROMEO: The thread goes out, the thread comes in.\n" * 200)
    code = "".join(part for name in EXAMPLES for part in PYTHON.findall(page(name)))
    assert code.count("max_minutes=5") == code.count("hidden_size=256") == 1
    values: dict = {}
    exec(code.replace("max_minutes=5", "max_steps=2").replace("size=256", "size=16"), values)
    assert values["logits"].shape == (1, len("ROMEO:"), len(values["text"].vocab))
    assert len(values["trace"]) == 9_800
