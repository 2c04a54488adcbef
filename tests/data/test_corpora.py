"""Named texts: what `stdlib` takes, and downloads that are checked."""

import hashlib
import http.server
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from unspool.data import corpora
from unspool.data.corpora import DOWNLOADS, Download, fetch, stdlib_files
from unspool.errors import DataError, UnspoolError

CONTENT = b"To be, or not to be\n"


@pytest.fixture
def server():
    """A web server for CONTENT; yields its address and the list of paths asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path == "/text" else 404)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()
        thread.join()


@pytest.fixture
def download(server):
    return Download(server[0] + "/text", hashlib.sha256(CONTENT).hexdigest(), "text.txt")


def test_download_once(download, server, tmp_path):
    cache = tmp_path / "new" / "cache"
    for _ in range(2):
        path = fetch("text", download, cache)
        assert path.read_bytes() == CONTENT
    assert server[1] == ["/text"]
    assert list(cache.iterdir()) == [path]


def test_damaged_copy_is_downloaded_again(download, server, tmp_path):
    (tmp_path / "text.txt").write_bytes(b"To be, or")
    assert fetch("text", download, tmp_path).read_bytes() == CONTENT
    assert server[1] == ["/text"]


def test_wrong_content_is_not_kept(download, tmp_path):
    with pytest.raises(DataError, match=r"has the wrong SHA-256, .*: nothing was kept"):
        fetch("text", replace(download, sha256="0" * 64), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_http_error_says_what_to_do(download, tmp_path):
    missing = replace(download, url=download.url + "-moved")
    with pytest.raises(DataError, match=r"\(Not Found\): try again .* save that file as .*text\.t"):
        fetch("text", missing, tmp_path)


def test_offline_says_what_to_do(tmp_path):
    nobody = Download("http://127.0.0.1:9/text", "0" * 64, "text.txt")
    with pytest.raises(DataError, match=r"cannot download text from .*refused.* save that file as"):
        fetch("text", nobody, tmp_path)


def test_a_silent_server_times_out(tmp_path, monkeypatch):
    import socket

    monkeypatch.setattr(corpora, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/text"
        with pytest.raises(DataError, match=r"cannot download text from .*timed out"):
            fetch("text", Download(url, "0" * 64, "text.txt"), tmp_path)


def test_cache_that_cannot_be_written(download, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnspoolError, match=r"cannot write .*file"):
        fetch("text", download, tmp_path / "file" / "cache")


def test_cache_is_the_users(monkeypatch, tmp_path, download):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch("text", download) == tmp_path / "unspool" / "text.txt"


def test_tiny_shakespeare_is_the_known_file(monkeypatch, tmp_path):
    if "UNSPOOL_DATA" not in os.environ:
        pytest.skip("set UNSPOOL_DATA to the directory of the real texts")
    text = (Path(os.environ["UNSPOOL_DATA"]) / "tiny-shakespeare.txt").read_bytes()
    shakespeare = DOWNLOADS["tiny-shakespeare"]
    (tmp_path / shakespeare.file_name).write_bytes(text)
    offline = replace(shakespeare, url="http://127.0.0.1:9/")
    assert fetch("tiny-shakespeare", offline, tmp_path).read_bytes() == text


def test_stdlib_leaves_out_what_is_not_the_library(tmp_path):
    for name in (
        "b.py", "a/c.py", "a/data.txt", "test/t.py", "a/tests/t.py", "site-packages/p.py",
        "idlelib/i.py",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("pass\n")
    (tmp_path / "accents.py").write_text("# é\n")
    (tmp_path / "nul.py").write_bytes(b"\0")
    found, notes = stdlib_files(tmp_path)
    assert found == [tmp_path / "a" / "c.py", tmp_path / "b.py"]
    assert "2 files" in notes[0]
    assert "left out 2" in notes[0]


def test_a_python_without_source(tmp_path):
    with pytest.raises(DataError, match="has no source of its standard library in"):
        stdlib_files(tmp_path / "none")


def test_stdlib_is_large_and_has_about_a_hundred_characters():
    found, _ = corpora.corpus_files("stdlib")
    text = "".join(path.read_text(encoding="utf-8") for path in found)
    assert len(text) > 3_000_000
    assert 90 <= len(set(text)) <= 110
    assert not any("site-packages" in str(path) or "/test/" in str(path) for path in found)
