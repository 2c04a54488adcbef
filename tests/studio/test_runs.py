"""The list of runs, their curves, and trainings that the studio starts."""

import shutil
import time

import filelock
import pytest
from tests.studio.conftest import VERSE, client_of, records

from unspool.training.directory import LOCK, METRICS


def listed(client):
    """All runs by their names."""
    answer = client.get("/api/runs")
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()}


def test_every_run_is_listed_with_what_it_is(client):
    found = listed(client)
    assert found.keys() == {"verse", "deeper/verse"}
    one = found["verse"]
    assert (one["kind"], one["cell"], one["hidden_size"], one["tokens"]) == (
        "language",
        "gru",
        8,
        "byte",
    )
    assert (one["step"], one["training"], one["ours"], one["failure"]) == (12, False, False, None)
    assert one["has_weights"]
    last = records(client.app.state.store.path("verse"))[-1]
    assert one["val_loss_nats"] == last["val_loss_nats"]


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_runs_is_an_empty_list(tmp_path, make):
    if make:
        (tmp_path / "none" / "empty").mkdir(parents=True)
    assert client_of(tmp_path / "none").get("/api/runs").json() == []


def test_a_damaged_run_is_shown_with_its_fault_and_the_others_go_on(changing):
    (changing.root / "verse" / "config.json").write_text("{")
    (changing.root / "deeper" / "list").mkdir()
    (changing.root / "deeper" / "list" / "config.json").write_text("[]")
    found = listed(changing)
    assert "config.json" in found["verse"]["error"]
    assert "damaged" in found["deeper/list"]["error"]
    assert found["deeper/verse"]["step"] == 12
    assert changing.get("/api/runs/config/verse").status_code == 400


def test_a_run_that_vanishes_is_an_error_of_its_own(changing):
    shutil.rmtree(changing.root / "verse")
    assert "verse" not in listed(changing)
    assert "is not a run directory" in changing.get("/api/runs/config/verse").json()["detail"]
    assert changing.get("/api/runs/curve/verse").json() == {"records": [], "offset": 0}


@pytest.mark.parametrize("name", ["deeper/verse", "deeper%2Fverse"])
def test_the_configuration_of_a_run_in_a_folder(client, name):
    assert client.get(f"/api/runs/config/{name}").json()["model"]["hidden_size"] == 8


def test_a_curve_goes_on_from_where_it_was_read(changing):
    path = changing.root / "verse" / METRICS
    whole = changing.get("/api/runs/curve/verse").json()
    assert whole["records"] == records(path.parent)
    assert whole["offset"] == path.stat().st_size
    assert not whole["restart"]
    with path.open("a") as file:
        file.write('{"step": 13, "loss_nats": 1.5}\n{"step": 14, "lo')
    more = changing.get("/api/runs/curve/verse", params={"offset": whole["offset"]}).json()
    assert more["records"] == [{"step": 13, "loss_nats": 1.5}]
    with path.open("a") as file:
        file.write('ss_nats": null}\n')
    rest = changing.get("/api/runs/curve/verse", params={"offset": more["offset"]}).json()
    assert rest["records"] == [{"step": 14, "loss_nats": None}]
    assert rest["offset"] == path.stat().st_size


@pytest.mark.parametrize("lines", [1, 50])
def test_a_curve_that_was_cut_back_begins_anew(changing, lines):
    """Shorter than it was, or grown past the old place with other lines."""
    path = changing.root / "verse" / METRICS
    offset = path.stat().st_size
    path.write_text('{"step": 100000, "loss_nats": 1.25}\n' * lines)
    again = changing.get("/api/runs/curve/verse", params={"offset": offset - 1}).json()
    assert again["restart"]
    assert len(again["records"]) == lines


def test_a_damaged_line_of_a_curve_is_left_out(changing):
    path = changing.root / "verse" / METRICS
    path.write_text('{"step": 1}\nnot json\n[3]\n{"step": 2}\n')
    assert changing.get("/api/runs/curve/verse").json()["records"] == [{"step": 1}, {"step": 2}]
    assert listed(changing)["verse"]["step"] == 2


def test_a_training_elsewhere_is_seen_and_not_ours_to_stop(changing):
    with filelock.FileLock(changing.root / "verse" / LOCK):
        one = listed(changing)["verse"]
        refused = changing.post("/api/runs/stop/verse")
    assert (one["training"], one["ours"]) == (True, False)
    assert refused.status_code == 400
    assert "was not started by this studio" in refused.json()["detail"]
    assert not listed(changing)["verse"]["training"]


WANTED = {"name": "new", "text": VERSE * 4, "hidden": 8, "minutes": 10}


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ({"text": " \n"}, 400, "no text to train on"),
        ({"name": "verse"}, 400, "verse exists already"),
        ({"name": ".studio-logs"}, 422, ""),
        ({"name": "../x"}, 422, ""),
        ({"name": ".hidden"}, 422, ""),
        ({"name": "a/b"}, 422, ""),
        ({"hidden": 0}, 422, ""),
        ({"minutes": 0}, 422, ""),
    ],
)
def test_a_training_that_cannot_be(changing, given, status, message):
    answer = changing.post("/api/runs/start", json={**WANTED, **given})
    assert answer.status_code == status
    assert message in str(answer.json()["detail"])
    assert listed(changing).keys() == {"verse", "deeper/verse"}


def wait(client, name, is_reached):
    """The run's line of the list, once it is as wanted."""
    for _ in range(600):
        one = listed(client).get(name, {})
        if is_reached(one):
            return one
        time.sleep(0.05)
    raise AssertionError(f"never reached: {one}")


def test_start_stop_and_go_on(changing):
    assert changing.post("/api/runs/start", json=WANTED).json() == {"name": "new"}
    again = changing.post("/api/runs/start", json=WANTED)
    assert "exists already" in again.json()["detail"]
    one = wait(changing, "new", lambda one: one.get("step", 0) >= 10)
    assert (one["training"], one["ours"]) == (True, True)
    assert changing.post("/api/runs/resume/new").status_code == 400
    for _ in range(2):  # a second click must not end it before it has saved
        changing.post("/api/runs/stop/new")
    one = wait(changing, "new", lambda one: not one["training"])
    assert one["failure"] is None
    assert (changing.root / "new" / "train-state.safetensors").exists()
    saved = one["step"]
    assert changing.post("/api/runs/resume/new").status_code == 200
    wait(changing, "new", lambda one: one["training"] and one["step"] > saved)
    changing.app.state.trainings.stop_all()
    one = listed(changing)["new"]
    assert (one["training"], one["failure"]) == (False, None)
    assert one["step"] > saved


def test_a_finished_run_goes_on_as_long_again(changing, monkeypatch):
    seen = []
    monkeypatch.setattr(changing.app.state.trainings, "resume", lambda *given: seen.append(given))
    changing.post("/api/runs/resume/deeper%2Fverse")
    assert seen == [("deeper/verse", {"max_steps": 24})]


def test_a_failure_is_the_line_of_the_command(changing):
    changing.post("/api/runs/start", json={**WANTED, "name": "short", "text": "ab"})
    one = wait(changing, "short", lambda one: one.get("failure"))
    assert not one["training"]
    assert one["failure"].startswith("the training part of the text must have at least 2 tokens")
    assert changing.post("/api/runs/start", json={**WANTED, "name": "short"}).status_code == 200
    changing.app.state.trainings.stop_all()


def test_other_kinds_are_not_resumed_here(changing):
    path = changing.root / "verse" / "config.json"
    path.write_text(path.read_text().replace('"kind": "language"', '"kind": "tagger"'))
    refused = changing.post("/api/runs/resume/verse")
    assert refused.status_code == 400
    assert "resumes language models" in refused.json()["detail"]
