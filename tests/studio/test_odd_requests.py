"""Whatever a request or a run's file holds, the answer is one of ours, and says what is wrong."""

import json
import os
import shutil

import pytest

from unspool.studio.security import HEADERS


def post(client, path, body):
    """Send a body that Python's own JSON would not make."""
    text = body if isinstance(body, str) else json.dumps(body)
    return client.post(path, content=text.encode(), headers={"content-type": "application/json"})


@pytest.fixture
def session(client):
    return client.post("/api/play/open/verse", json={"text": "the"}).json()["session"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("play/next/{session}/0", '{"temperature": NaN}', 422),
        ("play/next/{session}/0", '{"temperature": 1e999}', 422),
        ("play/next/{session}/0", '{"top_p": -Infinity}', 422),
        ("play/next/{session}/0", {"top_k": 0}, 422),
        ("play/next/{session}/" + "9" * 5000, {}, 422),
        (f"play/pick/{{session}}/0/{10**40}", {}, 400),
        ("play/write/{session}/0", {"most": 1e300}, 422),
        ("play/write/{session}/0", {"seed": -1}, 422),
        ("play/open/verse", '{"text": "a\\ud800"}', 400),
        ("play/open/verse", "[" * 200_000, 400),
        ("play/open/verse", '{"text": ' + "9" * 5000 + "}", 400),
        ("cells/trace/verse", '{"text": "a\\ud800 b"}', 400),
        ("gradients/verse", {"steps": 10**30}, 422),
        ("runs/start", '{"text": "a\\ud800 b", "name": "new"}', 400),
        ("runs/start", '{"text": "abc", "name": "new", "minutes": NaN}', 422),
        ("runs/start", {"text": "abc", "name": "new", "cell": "--help"}, 400),
        ("runs/start", {"text": "abc", "name": "new", "tokens": "../x"}, 400),
        ("runs/start", {"text": "abc", "name": "new\n"}, 422),
    ],
)
def test_odd_bodies_are_refused_with_a_sentence(client, session, path, body, status):
    answer = post(client, f"/api/{path.format(session=session)}", body)
    assert answer.status_code == status, answer.text
    assert HEADERS.items() <= dict(answer.headers).items()
    told = answer.json()["detail"]
    assert told
    if status == 422:
        assert all(one.keys() == {"loc", "msg"} for one in told)  # what was given is not sent back


@pytest.mark.parametrize("offset", [10**30, -(10**30), 2**62])
def test_a_curve_from_anywhere(client, offset):
    answer = client.get(f"/api/runs/curve/verse?offset={offset}")
    assert answer.status_code == 200
    assert answer.json()["restart"]


def damaged(changing, **model):
    """The list's line of a run whose config.json says something else."""
    path = changing.root / "verse" / "config.json"
    config = json.loads(path.read_text())
    config["model"] |= model
    path.write_text(json.dumps(config))
    (one,) = (one for one in changing.get("/api/runs").json() if one["name"] == "verse")
    return one


@pytest.mark.parametrize(
    "model",
    [
        {"kind": 3}, {"cell": 5}, {"cell": ["lstm"]}, {"hidden_size": "x"}, {"hidden_size": True},
        {"num_layers": {"a": 1}}, {"num_layers": 10**4000}, {"hidden_size": 1e999},
    ],
    ids=lambda model: next(iter(model)),
)  # fmt: skip
def test_what_is_of_a_wrong_kind_is_damaged(changing, model):
    assert "damaged" in damaged(changing, **model)["error"]


def test_texts_that_are_not_unicode_are_shown(changing):
    assert damaged(changing, cell="\ud800")["cell"] == "\ud800"
    assert changing.get("/api/runs/config/verse").json()["model"]["cell"] == "\ud800"


@pytest.mark.parametrize("extra", ["NaN", "9" * 5000, "[" * 600 + "]" * 600])
def test_a_configuration_is_shown_or_refused(changing, extra):
    path = changing.root / "verse" / "config.json"
    path.write_text(f'{path.read_text().rstrip()[:-1]}, "extra": {extra}}}')
    answer = changing.get("/api/runs/config/verse")
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or "damaged" in answer.json()["detail"]


def test_a_name_that_is_not_utf_8_is_shown_with_what_to_do(changing):
    folder = os.fsencode(changing.root) + b"/bad\xff"
    try:
        shutil.copytree(os.fsencode(changing.root / "verse"), folder)
    except OSError:
        pytest.skip("this file system has no such names")
    found = {one["name"]: one for one in changing.get("/api/runs").json()}
    assert found["'bad\\udcff'"]["error"] == "its name is not UTF-8: rename the folder"
    assert "error" not in found["verse"]


def test_records_of_wrong_kinds_are_left_out(changing):
    (changing.root / "verse" / "metrics.jsonl").write_text(
        '{"step": "x", "loss_nats": 1e999}\n{"step": {"a": 1}, "loss_nats": "\\ud800"}\n'
        '{"step": ' + "9" * 4000 + '}\n{"step": 7, "x": ' + "[" * 500 + "]" * 500 + "}\n"
    )
    found = changing.get("/api/runs/curve/verse").json()["records"]
    assert [one["step"] for one in found] == ["x", None, None, 7]
    assert [one.get("loss_nats") for one in found[:2]] == [None, "\ud800"]
    (one,) = (one for one in changing.get("/api/runs").json() if one["name"] == "verse")
    assert one["step"] == 7
    assert "loss_nats" not in one


def test_the_list_opens_no_lock_but_a_runs_own(changing, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (changing.root / "verse" / ".lock").unlink(missing_ok=True)
    (changing.root / "verse" / ".lock").symlink_to(victim)
    (changing.root / "deeper" / "verse" / ".lock").unlink(missing_ok=True)
    os.link(victim, changing.root / "deeper" / "verse" / ".lock")
    found = {one["name"]: one for one in changing.get("/api/runs").json()}
    assert victim.read_text() == "mine"
    assert "link" in found["verse"]["error"]
    assert not found["deeper/verse"].get("training")


def test_a_link_to_a_run_is_the_run(changing):
    (changing.root / "best").symlink_to("verse")
    (changing.root / "loop").symlink_to(".")
    assert {one["name"] for one in changing.get("/api/runs").json()} == {"verse", "deeper/verse"}
    store = changing.app.state.store
    assert store.name("best") == store.name("loop/loop/best") == "verse"
    assert store.load("best") is store.load("verse")


def test_no_training_starts_through_a_link(changing, tmp_path):
    (changing.root / "new").symlink_to(tmp_path / "elsewhere")
    answer = changing.post("/api/runs/start", json={"name": "new", "text": "abc " * 99})
    assert answer.status_code == 400
    assert "must be a folder below" in answer.json()["detail"]
    assert not (tmp_path / "elsewhere").exists()
