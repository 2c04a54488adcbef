"""gradients: how far back a loss reaches, on the command line."""

import json

import pytest
from tests.support import printed

FEW = ("--steps", 8, "--ends", 4)


def test_fresh_cells_side_by_side(unspool, verse, tmp_path):
    page = tmp_path / "flow.html"
    done = unspool("gradients", verse, *FEW, "--hidden", 8, "--json", "--html", page)
    (found,) = map(json.loads, printed(done))
    names = [(one["model"], one["quantity"]) for one in found]
    assert names == [
        ("RNN, untrained", "h"),
        ("GRU, untrained", "h"),
        ("LSTM, untrained", "h"),
        ("LSTM, untrained", "c"),
    ]
    assert [len(one["median"]) for one in found] == [8] * 4
    assert found[0]["factor"] < found[1]["factor"]  # an RNN forgets faster than an LSTM
    text = page.read_text()
    assert text.count('<polyline class="line"') == 4
    assert "http" not in text.replace("http://www.w3.org", "")
    table = "\n".join(printed(unspool("gradients", verse, *FEW, "--cell", "rnn", "--hidden", 8)))
    assert "untrained" in table


def test_a_run_beside_a_fresh_cell(unspool, trained, verse):
    done = unspool("gradients", verse, "--run", trained, "--cell", "rnn", *FEW, "--json")
    (found,) = map(json.loads, printed(done))
    assert {one["model"] for one in found} == {trained.name, "RNN, untrained"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gradients", "{verse}", "--steps", "100000"], "use at least 100001 or lower --steps"),
        (["gradients", "nowhere.txt"], "nowhere.txt"),
        (["gradients", "{verse}", "--run", "nowhere"], "nowhere"),
        (["gradients", "{verse}", "--cell", "x"], "must be one of"),
    ],
)
def test_wrong_input_is_one_line(refused, verse, arguments, message):
    refused(arguments, message, {"verse": verse})
