"""A run names a cell; nothing is imported for it unless the user names that cell, too."""

import json
import shutil
import sys

import pytest
from tests.support import OWN

import unspool
from unspool import ConfigError, RunError
from unspool.cli.main import app
from unspool.models.description import build_model
from unspool.models.language import LanguageModel
from unspool.tasks.text.recipe import TEXT

TINY = {
    "hidden": 4, "batch": 2, "steps_per_chunk": 4, "max_steps": 2, "eval_every": 2,
    "sample_tokens": 3,
}  # fmt: skip
EVIL = """\
from pathlib import Path

from tests.support import OwnCell

Path("{marker}").touch()


class Cell(OwnCell):
    pass
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "t.txt"
    path.write_text("the grey heron waits near the mill.\n" * 20)
    return path


@pytest.fixture(scope="module")
def trained(source, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    list(TEXT.start((str(source),), run, TEXT.merge((), {**TINY, "cell": OWN})))
    return run


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """The trace of an import of the module `evil`, which lies in the current folder."""
    marker = tmp_path / "imported"
    (tmp_path / "evil.py").write_text(EVIL.format(marker=marker))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield marker
    sys.modules.pop("evil", None)


def renamed(run, target, options=True):
    """A copy of a run that names evil:Cell."""
    shutil.copytree(run, target)
    config = json.loads((target / "config.json").read_text())
    config["model"]["cell"] = "evil:Cell"
    (target / "config.json").write_text(json.dumps(config))
    if options:
        file = target / "options.toml"
        file.write_text(file.read_text().replace(OWN, "evil:Cell"))
    return target


@pytest.fixture
def received(trained, tmp_path, marker):
    return renamed(trained, tmp_path / "received")


def resume(run, **given):
    return list(TEXT.resume((), run, {"max_steps": 3, **given})[1])


def test_loading_imports_nothing(received, marker):
    with pytest.raises(RunError, match=r"evil:Cell.* does not import by itself: add cell='evil"):
        unspool.load(received)
    with pytest.raises(RunError, match="trained with the cell evil:Cell, not with"):
        unspool.load(received, cell=OWN)
    description = json.loads((received / "config.json").read_text())["model"]
    with pytest.raises(RunError, match="evil:Cell"):
        build_model(LanguageModel, description)
    assert not marker.exists()


def test_resuming_imports_nothing(trained, received, tmp_path, marker):
    with pytest.raises(RunError, match="add cell='evil:Cell'"):
        resume(received)
    with pytest.raises(RunError, match="cell cannot change, from evil:Cell to"):
        resume(received, cell=OWN)
    half = renamed(trained, tmp_path / "half", options=False)
    with pytest.raises(RunError, match=f"cell has changed from evil:Cell to {OWN}"):
        resume(half, cell=OWN)
    assert not marker.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "{run}"], ["eval", "{run}"], ["info", "{run}"], ["inspect", "{run}"],
        ["gradients", "{source}", "--run", "{run}"],
        ["train", "text", "--run", "{run}", "--resume"],
        ["train", "text", "{source}", "--run", "new", "--config", "{run}/options.toml"],
    ],
)  # fmt: skip
def test_commands_import_nothing(received, source, marker, words):
    line = [word.format(run=received, source=source) for word in words]
    with pytest.raises(unspool.UnspoolError, match="add --cell evil:Cell"):
        app(line, standalone_mode=False)
    assert not marker.exists()


def test_the_studio_imports_nothing(received, marker):
    pytest.importorskip("fastapi", reason="the studio needs its extra")
    from tests.studio.conftest import client_of

    name = received.name
    with client_of(received.parent) as client:
        (listed,) = client.get("/api/runs").json()
        assert (listed["name"], listed["cell"]) == (name, "evil:Cell")
        text = {"text": "the grey heron"}
        asked = [
            client.post(f"/api/play/open/{name}", json=text),
            client.post(f"/api/cells/trace/{name}", json=text),
            client.get(f"/api/cells/sample/{name}"),
            client.post(f"/api/gradients/{name}", json=text),
            client.post(f"/api/runs/resume/{name}"),
            client.get("/api/unrolled?cell=evil:Cell"),
            client.post(
                "/api/runs/start", json={"name": "new", "text": "abc " * 99, "cell": "evil:Cell"}
            ),
        ]
    for answer in asked:
        assert answer.status_code == 400
        assert answer.json()["detail"].endswith("start the studio with --cell evil:Cell")
    assert not marker.exists()


def test_a_cell_that_is_named_is_imported(received, marker):
    assert unspool.load(received, cell="evil:Cell").sample("the", max_new_tokens=2)
    assert marker.exists()


def test_names_that_are_no_names_are_refused(received, marker):
    for name in ("evil:", ":Cell", "evil", "evil:Cell()", "evil:Cell\n", "../evil:Cell", 5, None):
        file = received / "config.json"
        config = json.loads(file.read_text())
        config["model"]["cell"] = name
        file.write_text(json.dumps(config))
        with pytest.raises(RunError, match="cannot rebuild"):
            unspool.load(received)
        with pytest.raises((RunError, ConfigError)):
            unspool.load(received, cell=OWN)
    assert not marker.exists()
