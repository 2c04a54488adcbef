"""The lesson of the Unrolled view."""

import numpy as np
import pytest


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_it_learns_the_word_and_shows_every_number(client, cell):
    made = client.get("/api/unrolled", params={"text": "abab", "cell": cell, "hidden_size": 2})
    lesson = made.json()
    assert lesson["vocabulary"] == ["a", "b"]
    assert [(s["input"], s["target"]) for s in lesson["steps"]] == [("a", "b"), ("b", "a")] * 1 + [
        ("a", "b")
    ]
    for step in lesson["steps"]:
        h = np.array(step["state"]["h"])
        scores = np.array(lesson["weights"]["w_out"]) @ h + lesson["weights"]["b_out"]
        assert step["scores"] == pytest.approx(scores, abs=1e-4)
        right = lesson["vocabulary"].index(step["target"])
        assert step["nats"] == pytest.approx(-np.log(step["probabilities"][right]), abs=1e-3)
        assert step["probabilities"][right] > 0.9
        assert step["gradient"] >= 0
    assert lesson["losses"][0] > lesson["losses"][-1]


def test_an_untrained_network_is_part_of_the_same_course(client):
    query = {"text": "abab", "hidden_size": 2, "trained": 0}
    lesson = client.get("/api/unrolled", params=query).json()
    mean = np.mean([step["nats"] for step in lesson["steps"]])
    assert mean == pytest.approx(lesson["losses"][0], abs=1e-4)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"text": "a"}, "2 to 13 characters, got 1"),
        ({"hidden_size": 7}, "from 1 to 6, got 7"),
        ({"trained": 301}, "from 0 to 300, got 301"),
        ({"cell": "tree"}, "cell must be one of rnn, gru, lstm"),
    ],
)
def test_wrong_input_says_what_is_right(client, query, message):
    answer = client.get("/api/unrolled", params=query)
    assert answer.status_code == 400
    assert message in answer.text


def test_the_page_goes_from_step_to_step(page):
    page.open("unrolled")
    page.wait_for_selector(".step.now")
    assert page.locator(".step").count() == 4
    page.get_by_label("Steps of the network").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("output").nth(1).inner_text() == "step 2 of 4"
    assert "reads “e”, has to predict “l”" in page.locator("main").inner_text()
    page.get_by_text("gradients", exact=True).click()
    assert page.locator(".gradient").count() == 4
