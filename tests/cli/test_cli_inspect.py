"""`unspool inspect`."""

import json
import re

import numpy as np
import pytest

from unspool import load
from unspool.inspection import Spans, Trace, annotate, next_tokens, score_units


def inspected(unspool, trained, *arguments):
    done = unspool("inspect", trained, *arguments)
    assert (done.code, done.err) == (0, ""), done
    return done.out


def test_the_table_names_the_best_cells(unspool, trained, verse):
    out = inspected(unspool, trained, verse)
    assert "1,420 tokens, 8 units in 1 layer, by h" in out
    assert "Constant in this text, so not scored: URL" in out
    word_start = (
        r"word start +│ +0 │ +\d │ +AUC [01]\.\d{3} │ (high|low) +│ +0\.\d{3} │ +(0\.\d+|1)"
    )
    assert re.search(word_start, out), out
    assert re.search(r"position in line +│ +0 │ +\d │ +ρ [+-]0\.\d{3}", out)
    assert re.search(r"│ +0 │ +z │ +\d+\.\d% │", out)


def test_json_has_every_cell_and_the_library_s_scores(unspool, trained, verse):
    found = json.loads(inspected(unspool, trained, verse, "--json", "--pattern", "hread=hread"))
    run, text = load(trained), verse.read_text()
    trace = Trace.record(run.model, Spans(text, *run.vocab.spans(text)))
    scores = score_units(trace, annotate(text, patterns={"hread": "hread"}))
    assert found["scores"] == [one.as_dict() for one in scores]
    assert {one["annotation"] for one in found["scores"]} >= {"word start", "capital", "hread"}
    for one in found["scores"]:
        assert set(one) - {"auc", "correlation"} == {
            "annotation", "layer", "cell", "direction", "control", "p",
        }  # fmt: skip
        assert ("auc" in one) != ("correlation" in one)
    assert (found["quantity"], found["tokens"], found["chars"]) == ("h", len(text), len(text))
    assert [one["gate"] for one in found["saturation"]] == list("rzn")
    assert len(found["saturation"][0]["left"]) == 8
    few = json.loads(inspected(unspool, trained, verse, "--json", "--top", 1, "--quantity", "z"))
    assert len(few["scores"]) == len({one["annotation"] for one in few["scores"]}) > 3
    assert few["quantity"] == "z"


def test_the_npz_and_the_page(unspool, trained, verse, tmp_path):
    """Without a file it is the run's held-out part."""
    out, html = tmp_path / "trace.npz", tmp_path / "page.html"
    inspected(unspool, trained, "--out", out, "--html", html, "--page-chars", 50)
    run = load(trained)
    text = verse.read_text()
    held_out = text[int(0.9 * len(text)) :]
    trace = Trace.record(run.model, Spans(held_out, *run.vocab.spans(held_out)))
    with np.load(out) as saved:
        for name, values in trace.layers[0].items():
            np.testing.assert_array_equal(saved[f"layer0.{name}"], values)
        assert bytes(saved["text"]).decode() == held_out
    page = html.read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert "".join(data["tokens"]) == held_out[:50]
    expected = next_tokens(run.model, run.vocab.encode(held_out[:50]))
    assert data["expected"]["names"] == [run.vocab.token_text(i) for i in np.unique(expected.ids)]
    assert data["annotations"][0]["best"][0]["annotation"] == data["annotations"][0]["name"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["none"], "none is not a run directory"),
        (["{run}", "none.txt"], "none.txt does not exist"),
        (["{run}", "{empty}"], "the text is empty"),
        (["{run}", "--layer", "1"], "--layer must be from 0 to 0, got 1"),
        (["{run}", "--layer", "-1"], "--layer must be from 0 to 0"),
        (["{run}", "--quantity", "c"], "quantity must be one of h, r, z, n, got 'c'"),
        (["{run}", "--pattern", "x"], "--pattern must be NAME=REGEX, got 'x'"),
        (["{run}", "--pattern", "x=("], "pattern x is not a regular expression"),
        (["{run}", "--language", "perl"], "language must be one of c, python, latex, text"),
        (["{run}", "--condition", "x"], "condition needs a generator"),
        (["{run}", "--top", "0"], "--top"),
        (["{run}", "--html", "{empty}/page.html"], "there is no folder {empty}"),
    ],
)
def test_wrong_input_is_one_line(refused, trained, tmp_path, line, words):
    places = {"run": trained, "empty": tmp_path / "empty.txt"}
    places["empty"].write_text("")
    refused(["inspect", *(w.format(**places) for w in line)], words, places)
