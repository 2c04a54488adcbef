"""studio: where it listens, how it ends, and what it refuses."""

import json
import re
import signal
import socket
import stat
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the studio needs its extra")


def test_it_prints_an_address_serves_it_and_ends(process, tmp_path):
    with process("studio", tmp_path, "--port", 0, "--no-browser") as started:
        line = started.stdout.readline()
        pattern = r"The studio is at (http://127\.0\.0\.1:\d+/\?code=\S{32})\n"
        address = re.fullmatch(pattern, line)[1]
        with urllib.request.urlopen(address) as answer:
            assert "Unspool studio" in answer.read().decode()
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 130
        assert started.stderr.read() in ("", "unspool: interrupted\n")


def test_a_port_in_use_and_a_file_are_one_line(unspool, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = unspool("studio", tmp_path, "--port", port, "--no-browser")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"cannot listen on port {port}" in done.err
    (tmp_path / "file").touch()
    done = unspool("studio", tmp_path / "file", "--no-browser")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "runs_dir must be a folder" in done.err


def test_without_the_extra_it_says_what_to_install(unspool, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = unspool("studio", tmp_path, "--no-browser")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "pip install 'unspool[studio]'" in done.err


@pytest.fixture
def browser(tmp_path):
    """A stand-in for a browser: the environment that makes it the user's, and its command line."""
    script = tmp_path / "browser"
    asked = tmp_path / "asked"
    script.write_text(f'#!/bin/sh\necho "$@" > {asked}.tmp\nmv {asked}.tmp {asked}\n')
    script.chmod(0o755)
    (tmp_path / "home").mkdir()
    environment = {"BROWSER": f"{script} %s", "HOME": str(tmp_path / "home")}
    return environment, asked


def wait_for(path):
    while not path.exists():
        time.sleep(0.05)
    return path.read_text().strip()


def enter(address, code):
    data = json.dumps({"code": code}).encode()
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{address}/enter", data, headers)
    ) as answer:
        return json.load(answer)["token"]


@pytest.mark.parametrize("is_opened", [True, False])
def test_the_browsers_command_line_lets_nobody_in(process, tmp_path, browser, is_opened):
    environment, asked = browser
    with process("studio", tmp_path, "--port", 0, env=environment) as started:
        address, printed = started.stdout.readline().split()[-1].split("/?code=")
        page = Path(urllib.request.url2pathname(wait_for(asked).removeprefix("file://")))
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
        assert page.parent.parent == tmp_path / "home"  # browsers in a sandbox read it there
        (code,) = re.findall(r"code=([\w-]+)", page.read_text())
        assert code != printed
        if is_opened:
            assert enter(address, code) == enter(address, printed)
            assert not page.parent.exists()
            with pytest.raises(urllib.error.HTTPError, match="401"):
                enter(address, code)
        started.send_signal(signal.SIGTERM)
        said = started.stdout.read()
    assert not page.parent.exists()
    assert ("For another browser: http" in said) == is_opened
