"""Runs to look at, the studio in this process (`client`) and behind a port (`address`, `page`)."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from unspool.tasks.text.recipe import TEXT

pytest.importorskip("fastapi", reason="the studio needs its extra")
uvicorn = pytest.importorskip("uvicorn", reason="the studio needs its extra")

from starlette.testclient import TestClient  # noqa: E402

from unspool.studio.app import create_app  # noqa: E402

TOKEN = "secret-of-the-test"
VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20
CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
SMALL = {"hidden": 8, "batch": 4, "steps_per_chunk": 8, "max_steps": 12, "eval_every": 5}


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with the run "verse" in bytes, and the run "deeper/verse": read it only."""
    root = tmp_path_factory.mktemp("runs")
    text = tmp_path_factory.mktemp("text") / "verse.txt"
    text.write_text(VERSE)
    options = TEXT.merge((str(text),), {}, {**SMALL, "tokens": "byte", "sample_tokens": 1})
    for _ in TEXT.start((str(text),), root / "verse", options):
        pass
    shutil.copytree(root / "verse", root / "deeper" / "verse")
    return root


@pytest.fixture
def root(trained, tmp_path):
    """A copy of `trained` to change."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def client_of(folder, token=TOKEN, own=None):
    """The studio as its own page calls it; `own` are cells of one's own that it knows."""
    headers = {"x-unspool-token": token}
    return TestClient(
        create_app(folder, TOKEN, own=own), base_url="http://127.0.0.1", headers=headers
    )


@pytest.fixture(scope="session")
def client(trained):
    """The studio of runs that no test changes."""
    with client_of(trained) as made:
        yield made


@pytest.fixture
def changing(root):
    """The studio of runs that the test may change; `.root` is their folder."""
    with client_of(root) as made:
        made.root = root
        yield made


@pytest.fixture(scope="session")
def address(trained):
    """Where the studio of `trained` listens."""
    yield from serve(trained)


class Address(NamedTuple):
    """Where a studio listens, and the codes that let a browser in."""

    bare: str
    codes: Any

    def new(self):
        return f"{self.bare}?code={self.codes.new()}"


def serve(folder, own=None):
    """The studio behind a free port, until the generator is closed."""
    app = create_app(folder, TOKEN, own=own)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (listening,) = server.servers[0].sockets
    yield Address(f"http://127.0.0.1:{listening.getsockname()[1]}/", app.state.codes)
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def chromium():
    """A headless browser, or a skip that says what is missing."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = [path for path in CHROMIUM if Path(path).exists()]
    if not found:
        pytest.skip("chromium is not installed")
    with sync.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=found[0], args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, address):
    """A page of a fresh visitor; `page.open("runs")` goes to a view. Errors of the page fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    made = context.new_page()
    made.set_default_timeout(10_000)
    wrong = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    made.open = lambda view: made.goto(f"{address.new()}#/{view}")
    made.wrong = wrong
    yield made
    context.close()
    assert wrong == []


def records(path):
    """The records of a run's metrics.jsonl."""
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
