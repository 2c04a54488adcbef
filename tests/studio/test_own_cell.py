"""Runs of a cell of one's own in every view of the studio, which was told of it."""

import json

import numpy as np
import pytest
from tests.studio.conftest import SMALL, VERSE, client_of, serve
from tests.support import OWN, OwnCell

from unspool.tasks.text.recipe import TEXT

WORD = "the thread"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    (root / "verse.txt").write_text(VERSE)
    options = TEXT.merge((), {**SMALL, "cell": OWN, "layers": 2, "sample_tokens": 1})
    list(TEXT.start((str(root / "verse.txt"),), root / "leaky", options))
    return root


@pytest.fixture(scope="module")
def client(folder):
    with client_of(folder, own={OWN: OwnCell}) as made:
        yield made


def told(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_can_be_chosen(client):
    cells = told(client.get("/api/choices"))["cell"]
    assert cells[0] == ["rnn", "RNN"]
    assert cells[1:] == [["gru", "GRU"], ["lstm", "LSTM"], [OWN, "OwnCell"]]


def test_it_is_listed_with_its_views(client):
    (run,) = told(client.get("/api/runs"))
    assert (run["cell"], run["views"]) == (OWN, ["play", "cells", "gradients"])


def test_its_unrolled_graph_shows_states_and_no_weights_that_it_does_not_name(client):
    query = {"cell": OWN, "text": "hello", "hidden_size": 3, "trained": 300}
    lesson = told(client.get("/api/unrolled", params=query))
    assert lesson["parts"] == [{"name": "h", "range": [-1, 1]}]
    assert list(lesson["weights"]) == ["w_out", "b_out"] or list(lesson["weights"]) == ["w_out"]
    assert lesson["losses"][-1] < 0.1 * lesson["losses"][0]
    assert all(len(step["state"]["h"]) == 3 for step in lesson["steps"])
    assert all(step["gradient"] > 0 for step in lesson["steps"])


def test_its_units_are_shown_on_a_text(client):
    traced = told(client.post("/api/cells/trace/leaky", json={"text": VERSE[:200]}))
    shown = {"name": "h", "label": "h, hidden state", "shown": "h", "range": [-1, 1]}
    assert traced["layers"] == [{"units": 8, "quantities": [shown]}] * 2
    answer = client.get(f"/api/cells/values/{traced['id']}/1/h")
    values = np.frombuffer(answer.content, np.int8).reshape(8, 200)
    assert values.any()
    assert len(client.get(f"/api/cells/next/{traced['id']}").content) == 200 * (5 + 5 + 1) * 4
    name = traced["annotations"][0]
    assert told(client.get(f"/api/cells/scores/{traced['id']}", params={"annotation": name}))


def test_its_gradients_stand_beside_those_of_all_cells(client):
    asked = {"text": VERSE[:120], "steps": 5}
    lines = told(client.post("/api/gradients/leaky", json=asked))["lines"]
    assert [line["kind"] for line in lines] == ["run", "run", *(f"cell-{i}" for i in range(4))]
    assert lines[-1]["name"] == "OwnCell of 8 units, untrained"
    assert all(line["norms"][0] > 0 for line in lines)


def test_it_writes(client):
    opened = told(client.post("/api/play/open/leaky", json={"text": "The"}))
    last = opened["tokens"][-1]["node"]
    likeliest = told(client.post(f"/api/play/next/{opened['session']}/{last}", json={}))
    assert sum(one["p"] for one in likeliest) == pytest.approx(1, abs=0.2)
    answer = client.post(f"/api/play/write/{opened['session']}/{last}", json={"most": 4})
    written = [one for line in answer.text.splitlines() for one in json.loads(line)]
    assert len(written) == 4


def test_trainings_are_started_and_resumed_with_it(client, monkeypatch):
    trainings, asked = client.app.state.trainings, []
    monkeypatch.setattr(trainings, "start", lambda name, text, options: asked.append(options))
    monkeypatch.setattr(trainings, "resume", lambda name, options: asked.append(options))
    wanted = {"name": "new", "text": WORD, "cell": OWN, "hidden": 4}
    assert told(client.post("/api/runs/start", json=wanted)) == {"name": "new"}
    assert told(client.post("/api/runs/resume/leaky")) == {"name": "leaky"}
    assert [options["cell"] for options in asked] == [OWN, OWN]


def test_a_studio_that_was_not_told_of_it_says_so(folder):
    with client_of(folder) as client:
        refused = client.post("/api/play/open/leaky", json={"text": "The"})
        assert refused.status_code == 400
        assert refused.json()["detail"] == (
            f"cell must be one of rnn, gru, lstm, got '{OWN}': start the studio with --cell {OWN}"
        )


@pytest.fixture(scope="module")
def address(folder):
    yield from serve(folder, own={OWN: OwnCell})


@pytest.mark.slow
def test_its_pages_show_it(page):
    page.open("runs")
    page.get_by_text("OwnCell 2×8").wait_for()
    assert page.locator("form select").first.locator("option").all_inner_texts() == [
        "RNN", "GRU", "LSTM", "OwnCell"
    ]  # fmt: skip
    assert page.locator("form select").first.input_value() == "lstm"
    page.open("unrolled")
    page.wait_for_selector(".step.now")
    assert page.locator("caption").count() == 3
    page.locator("select").first.select_option(OWN)
    page.wait_for_function("document.querySelectorAll('caption').length === 1")  # W_hy alone
    assert page.locator(".sums").count() == 0
    page.open("cells/leaky")
    page.get_by_text("unit 0 of layer 1: h =").wait_for()
    assert page.locator(".scale").first.inner_text().split() == ["h:", "−1", "1"]
    page.open("gradients/leaky")
    page.get_by_text("OwnCell of 8 units, untrained").wait_for()
    assert page.locator(".chart .line-cell-3").count() > 0
