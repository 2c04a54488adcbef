"""Ctrl-C stops the studio, whatever it is doing; no client can block it for others."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager

import pytest

SLOW = "((t{1,40}){1,40}){1,40}#"  # a pattern that takes for ever on a row of t


class Studio:
    """A studio in a separate process, called as its page calls it."""

    def __init__(self, process, address, code):
        self.process, self.address, self.token = process, address, ""
        self.token = self.call("/enter", {"code": code})["token"]

    def open(self, path, body=None, timeout=30):
        headers = {"x-unspool-token": self.token, "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", data, headers)
        return urllib.request.urlopen(request, timeout=timeout)

    def call(self, *given):
        with self.open(*given) as answer:
            return json.load(answer)

    def seconds_to_end(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        return time.monotonic() - began


@contextmanager
def running(folder, tmp_path):
    command = [sys.executable, "-m", "unspool", "studio", folder, "--port", "0", "--no-browser"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            said = process.stdout.readline()
            address, code = re.search(r"(http://\S+?)/\?code=(\S+)", said).groups()
            yield Studio(process, address, code)
        finally:
            process.kill()


@pytest.fixture
def studio(trained, tmp_path):
    with running(trained, tmp_path) as made:
        yield made


def test_many_slow_texts_leave_room_for_others_and_end(studio):
    session = studio.call("/api/play/open/verse", {"text": "the"})["session"]
    asked = {"most": 5000, "pace": 1}
    texts = [studio.open(f"/api/play/write/{session}/0", asked) for _ in range(60)]
    began = time.monotonic()
    assert studio.call("/api/runs")
    assert time.monotonic() - began < 10
    assert studio.seconds_to_end() < 15
    for text in texts:
        text.close()


def test_a_text_that_nobody_reads_is_written_no_more(studio):
    session = studio.call("/api/play/open/verse", {"text": "the"})["session"]
    with studio.open(f"/api/play/write/{session}/0", {"most": 5000, "pace": 50}) as text:
        text.readline()
    time.sleep(1)
    last = studio.call(f"/api/play/pick/{session}/0/1", {})["node"]
    time.sleep(1)
    assert studio.call(f"/api/play/pick/{session}/0/1", {})["node"] == last + 1


def test_a_pattern_that_takes_for_ever_holds_nobody(studio):
    text = {"text": "t" * 200 + " 12 \n"}
    identity = studio.call("/api/cells/trace/verse", text)["id"]
    quoted = urllib.request.quote(SLOW)

    def ask():
        with pytest.raises(OSError, match=r".*"):
            studio.open(f"/api/cells/scores/{identity}?pattern={quoted}", timeout=60)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    time.sleep(1)
    began = time.monotonic()
    assert studio.call("/api/runs")
    assert time.monotonic() - began < 10
    assert studio.seconds_to_end() < 15
    for thread in asking:
        thread.join()
