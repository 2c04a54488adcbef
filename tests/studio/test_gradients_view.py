"""The Gradients view."""

import numpy as np
import pytest

import unspool
from unspool.inspection import gradient_flow


@pytest.fixture(scope="module")
def answer(client):
    return client.post("/api/gradients/verse", json={"text": "", "steps": 12}).json()


def test_the_runs_line_is_the_librarys(answer, trained):
    run = unspool.load(trained / "verse")
    (flow, *_) = gradient_flow(run.model, run.vocab.encode(answer["text"]), steps=12, ends=32)
    assert flow.quantity == "h"
    assert answer["lines"][0]["norms"] == pytest.approx(flow.median.tolist(), rel=1e-4)


def test_untrained_models_stand_beside_it(answer):
    assert [line["kind"] for line in answer["lines"]] == ["run", "cell-0", "cell-1", "cell-2"]
    assert all(len(line["norms"]) == 12 for line in answer["lines"])
    rnn = np.array(answer["lines"][1]["norms"])
    assert rnn[-1] < rnn[0]  # it vanishes


def test_a_text_that_is_too_short_is_refused(client):
    refused = client.post("/api/gradients/verse", json={"text": "a"})
    assert refused.status_code == 400
    assert "a few sentences" in refused.text


def test_the_page_draws_a_line_for_each(page):
    page.open("gradients/verse")
    page.wait_for_selector(".chart .line", state="attached")
    assert page.locator(".chart path.line").count() == 4
    page.get_by_label("Chart").focus()
    page.keyboard.press("ArrowLeft")
    assert "1 token before the loss" in page.locator("main").inner_text()
