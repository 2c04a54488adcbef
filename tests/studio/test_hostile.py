"""What somebody sent, or another user of the machine does, neither harms nor stops the studio."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from unspool.errors import ConfigError
from unspool.inspection import annotate, page, patterns, trace
from unspool.studio import app as studio_app
from unspool.studio.security import HEADERS

DAMAGED = {
    "deep": "[" * 100_000,
    "digits": '{"format_version": ' + "9" * 5000 + "}",
    "kinds": '{"format_version": 1, "model": {"kind": [1]}, "task": {}, "training": {}}',
    "nan": '{"format_version": 1, "model": {"cell": NaN}, "task": {}, "training": {}}',
    "list": "[]",
}


def test_damaged_runs_hide_no_others(changing):
    for name, content in DAMAGED.items():
        (changing.root / name).mkdir()
        (changing.root / name / "config.json").write_text(content)
    (changing.root / "pipe").mkdir()
    os.mkfifo(changing.root / "pipe" / "config.json")
    (changing.root / "records").mkdir()
    config = (changing.root / "verse" / "config.json").read_text()
    (changing.root / "records" / "config.json").write_text(config)
    (changing.root / "records" / "metrics.jsonl").write_text(
        '{"step": NaN, "loss_nats": Infinity}\n' + "[" * 90_000 + '\n{"step": ' + "9" * 5000 + "}\n"
    )
    answer = changing.get("/api/runs")
    assert answer.status_code == 200
    found = {one["name"]: one for one in answer.json()}
    assert "error" not in found["verse"]
    assert "error" not in found["records"]
    for name in (*DAMAGED, "pipe"):
        assert name in found
    for name in ("deep", "digits", "list", "nan", "pipe"):
        assert "error" in found[name], name


def test_a_pipe_in_place_of_metrics_answers_at_once(changing):
    metrics = changing.root / "verse" / "metrics.jsonl"
    metrics.unlink()
    os.mkfifo(metrics)
    began = time.monotonic()
    changing.get("/api/runs")
    changing.get("/api/runs/curve/verse")
    assert time.monotonic() - began < 5


def test_answers_of_failures_have_the_headers(root, monkeypatch):
    from starlette.testclient import TestClient

    monkeypatch.setattr("unspool.studio.runs.read_config", lambda path: 1 / 0)
    client = TestClient(
        studio_app.create_app(root, "t"), base_url="http://127.0.0.1",
        headers={"x-unspool-token": "t"}, raise_server_exceptions=False,
    )  # fmt: skip
    answer = client.get("/api/runs/config/verse")
    assert answer.status_code == 500
    assert HEADERS.items() <= dict(answer.headers).items()
    assert "ZeroDivisionError" in answer.json()["detail"]


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5000, "x"])
def test_lengths_that_are_no_numbers(client, length):
    answer = client.post("/api/runs/start", headers={"content-length": length}, content=b"")
    assert answer.status_code in (400, 413)


@pytest.mark.parametrize("name", ["deeper/../verse", "./verse", "verse/"])
def test_a_run_has_one_name(changing, name):
    store = changing.app.state.store
    assert store.name(name) == "verse"


@pytest.mark.parametrize("name", ["..", "../x", "/etc", "verse/../..", "x" * 5000, "a\0b"])
def test_names_outside_are_refused(changing, name):
    with pytest.raises(ConfigError, match="must be a folder below"):
        changing.app.state.store.name(name)


@pytest.mark.parametrize("pace", [1e-6, 0.5, -1, 1e9])
def test_no_thread_sleeps_for_long(client, pace):
    opened = client.post("/api/play/open/verse", json={"text": "the"}).json()
    url = f"/api/play/write/{opened['session']}/0"
    assert client.post(url, json={"pace": pace}).status_code == 422


def test_trainings_do_not_run_files_of_the_current_folder(changing, tmp_path, monkeypatch):
    (tmp_path / "typer.py").write_text("open('ran', 'w')\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    wanted = {"name": "new", "text": "the thread goes out\n" * 999, "hidden": 8, "minutes": 0.01}
    assert changing.post("/api/runs/start", json=wanted).status_code == 200
    trainings = changing.app.state.trainings
    trainings._started["new"].process.wait(120)
    assert not (tmp_path / "ran").exists()
    assert trainings._started["new"].process.returncode == 0
    assert (changing.root / "new" / "config.json").exists()


def test_what_a_training_prints_and_reads_has_no_name(changing):
    wanted = {"name": "new", "text": "ab" * 9, "hidden": 8, "minutes": 0.01}
    before = set(changing.root.parent.rglob("*"))
    changing.post("/api/runs/start", json=wanted)
    trainings = changing.app.state.trainings
    trainings._started["new"].process.wait(120)
    made = set(changing.root.parent.rglob("*")) - before
    assert {path.name for path in made} <= {"new", ".lock"}
    failure = trainings.starting()[0]["failure"]
    assert "the text" in failure or "too short" in failure


def test_a_pattern_that_takes_for_ever_ends(monkeypatch):
    monkeypatch.setattr(patterns, "PATTERN_SECONDS", 0.2)
    text, ticks = "o" * 60 + "!\n", []
    timer = threading.Thread(target=lambda: [ticks.append(time.sleep(0.01)) for _ in range(5)])
    timer.start()
    with pytest.raises(ConfigError, match=r"pattern bad takes more than 0\.2 s"):
        annotate(text, patterns={"bad": r"(o+)+$x|(o|oo|ooo)+?#"})
    timer.join()
    with pytest.raises(ConfigError, match="at most 1,000 characters"):
        annotate(text, patterns={"bad": "o" * 1001})


def test_a_title_is_not_a_place_for_data():
    assert page.filled("{{title}}|{{data}}", "{{data}}<", {"a": "{{title}}"}) == (
        '{{data}}&lt;|{"a":"{{title}}"}'
    )


def test_traces_of_killed_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    for name in (f"unspool-trace-{int(done.stdout)}-x", "unspool-trace-abc-x",
                 f"unspool-trace-{os.getpid()}-x", "unspool-trace-x"):  # fmt: skip
        (tmp_path / name).mkdir()
    made = trace._temporary()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"unspool-trace-abc-x", f"unspool-trace-{os.getpid()}-x", "unspool-trace-x",
                    made.name}  # fmt: skip


def test_other_files_beside_a_trace_stay(tmp_path, trained):
    import unspool
    from unspool.inspection import Spans, Trace

    run = unspool.load(trained / "verse")
    spans = Spans("the thread", *run.vocab.spans("the thread"))
    Trace.record(run.model, spans, tmp_path / "t")
    (tmp_path / "t" / "mine.npy").write_text("mine")
    Trace.record(run.model, spans, tmp_path / "t")
    assert (tmp_path / "t" / "mine.npy").read_text() == "mine"
    assert json.loads((tmp_path / "t" / "trace.json").read_text())
