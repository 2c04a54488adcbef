"""studio: where it listens, how it ends, and what it refuses."""

import re
import signal
import socket
import sys
import urllib.request

import pytest

pytest.importorskip("uvicorn", reason="the studio needs its extra")


def test_it_prints_an_address_serves_it_and_ends(process, tmp_path):
    with process("studio", tmp_path, "--port", 0, "--no-browser") as started:
        line = started.stdout.readline()
        pattern = r"The studio is at (http://127\.0\.0\.1:\d+/\?token=\S{32})\n"
        address = re.fullmatch(pattern, line)[1]
        with urllib.request.urlopen(address) as answer:
            assert "Unspool studio" in answer.read().decode()
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) in (0, -signal.SIGTERM)


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
