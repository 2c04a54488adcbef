"""Data flows one way: no module imports a layer above its own."""

import ast
import re
from pathlib import Path

import pytest

import unspool

# From the bottom up. A module may import layers below its own, and its own package.
LAYERS = (
    ("errors", "_startup", "_version", "limits"),
    ("files",),
    ("options", "heap", "library", "interop"),
    ("options_file",),
    ("products",),
    ("cells",),
    ("kernels",),
    ("unroll", "bptt", "bidirectional"),
    ("vision",),
    ("models",),
    ("data",),
    ("decoding", "inspection", "training"),
    ("tasks",),
    ("bench", "studio"),
    ("cli",),
    ("__init__", "__main__"),
)
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# Lower layers that these packages may import.
ONLY = {"data": {"data", "files", "errors", "limits"}}

ROOT = Path(unspool.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.with_suffix("").parts[0]


def imported_layers(path: Path, source: str) -> set[str]:
    """The layers that the module at `path` (relative to the package) imports, anywhere in it."""
    package = ("unspool", *path.parent.parts)
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            names |= {(*module, alias.name) for alias in node.names}
    inside = {name[1:] for name in names if name[0] == "unspool"}
    return {name[0] if name and name[0] in RANKS else "__init__" for name in inside}


def back_edges(path: Path, source: str) -> set[str]:
    mine = layer_of(path)
    imports = imported_layers(path, source) - {mine}
    allowed = ONLY.get(mine, {name for name in RANKS if RANKS[name] < RANKS[mine]})
    return imports - allowed


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_imports_a_layer_above_its_own(path: Path):
    assert layer_of(path) in RANKS, f"{layer_of(path)} has no place in LAYERS"
    assert not back_edges(path, (ROOT / path).read_text())


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cells/base.py", "from ..unroll import unroll"),
        ("cells/base.py", "from .. import kernels"),
        ("cells/base.py", "import unspool"),
        ("cells/base.py", "from unspool import Stack"),
        ("unroll.py", "from . import bptt"),
        ("unroll.py", "from .models.language import LanguageModel"),
        ("data/text.py", "def f():\n    from ..models import language"),
        ("training/loop.py", "import unspool.cli.main"),
    ],
)
def test_back_edges_are_found(path: str, source: str):
    assert back_edges(Path(path), source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cells/lstm.py", "from .base import Cell\nfrom ..errors import ConfigError"),
        ("unroll.py", "from . import kernels\nfrom .cells import Cell"),
        ("data/text.py", "from .. import files\nimport numpy.random"),
        ("cli/main.py", "from ..options import option\nfrom . import console"),
    ],
)
def test_imports_of_lower_layers_are_allowed(path: str, source: str):
    assert not back_edges(Path(path), source)


def unnamed(modules: list[Path], text: str) -> list[str]:
    """The modules whose folder or file a document does not name."""

    def is_named(path: Path) -> bool:
        rooms = all(f"{room}/" in text for room in path.parent.parts)
        return rooms and re.search(rf"[`/]{re.escape(path.name)}`", text) is not None

    return [str(path) for path in modules if not is_named(path)]


@pytest.fixture(scope="module")
def architecture() -> str:
    document = ROOT.parents[1] / "docs" / "architecture.md"
    if not document.exists():
        pytest.skip("installed without its documents")
    return document.read_text("utf-8")


def test_architecture_names_every_module(architecture: str):
    modules = [path for path in MODULES if path.name != "__init__.py"]
    assert not unnamed(modules, architecture)
    assert unnamed([Path("data/nowhere.py"), Path("tasks/nowhere/task.py")], architecture) == [
        "data/nowhere.py", "tasks/nowhere/task.py",
    ]  # fmt: skip


def test_the_proofs_of_promises_are_there(architecture: str):
    named = re.findall(r"`(tests/[^`]+)`", architecture)
    tests = [name for name in named if name != "tests/test_layers.py"]
    assert len(tests) > 20
    assert not [name for name in tests if not (ROOT.parents[1] / name).exists()]
