"""--cell: a cell of one's own trains, resumes and is used by every command, if it is named."""

import json
import sys

import pytest
from tests.support import OWN, printed

from unspool.cli.cells import named_cell

USES = {
    "text": ["sample", "{run}", "--prompt", "The", "--max-new-tokens", "5"],
    "classify": ["classify", "{run}", "one thread"],
    "tag": ["tag", "{run}", "The dog runs"],
    "generate": ["sample", "{run}", "--condition", "a", "--max-new-tokens", "5"],
    "translate": ["translate", "{run}", "the wheel", "--num-beams", "2"],
    "caption": ["caption", "{run}", "{folder}/features.npz", "--num-beams", "2"],
    "glimpse": ["classify", "{run}", "{folder}/images.npz"],
}
QUICK = {"text", "tag"}


def refused(done, words):
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert words in done.err


@pytest.fixture(scope="module")
def train(tiny_sources, tmp_path_factory):
    """Train a run of a kind with a cell of one's own, once."""
    _, words = tiny_sources
    runs = {}

    def start(unspool, kind):
        if kind not in runs:
            run = tmp_path_factory.mktemp("own") / kind
            done = unspool("train", kind, *words[kind], "--run", run, "--cell", OWN)
            assert done.code == 0, done.err
            runs[kind] = run
        return runs[kind]

    return start


@pytest.mark.parametrize(
    "kind", [k if k in QUICK else pytest.param(k, marks=pytest.mark.slow) for k in USES]
)
def test_every_kind_takes_it_and_asks_for_it_again(unspool, train, tiny_sources, kind):
    run, names = train(unspool, kind), {"folder": tiny_sources[0]}
    assert json.loads((run / "config.json").read_text())["model"]["cell"] == OWN
    use = [word.format(run=run, **names) for word in USES[kind]]
    refused(unspool(*use), f"which a run does not import by itself: add --cell {OWN}")
    refused(unspool(*use, "--cell", "gru"), f"trained with the cell {OWN}, not with gru")
    assert printed(unspool(*use, "--cell", OWN))
    resume = ["train", kind, "--run", run, "--resume", "--max-steps", "3"]
    refused(unspool(*resume), f"add --cell {OWN}")
    refused(unspool(*resume, "--cell", "gru"), f"cell cannot change, from {OWN} to gru")
    done = unspool(*resume, "--cell", OWN)
    assert (done.code, "finished at step 3" in done.out) == (0, True)
    assert printed(unspool("eval", run, "--cell", OWN))


def test_a_language_model_is_looked_into(unspool, train, tiny_sources):
    run, text = train(unspool, "text"), tiny_sources[0] / "text.txt"
    facts = json.loads(unspool("info", run, "--cell", OWN, "--json").out)
    assert facts["backends"] == ["scan, automatic gradients (OwnCell has no program of its own)"]
    found = json.loads(unspool("inspect", run, text, "--cell", OWN, "--json", "--top", "1").out)
    assert (found["quantity"], {one["gate"] for one in found["saturation"]}) == ("h", {"h"})
    command = ["gradients", text, "--run", run, "--steps", "5", "--json"]
    lines = json.loads(unspool(*command, "--cell", OWN).out)
    assert [line["model"] for line in lines] == ["text", "OwnCell, untrained"]
    for words in (["info", run], ["inspect", run, text], command):
        refused(unspool(*words), f"add --cell {OWN}")


def test_a_toml_file_names_it(unspool, tiny_sources, tmp_path):
    _, words = tiny_sources
    file = tmp_path / "mine.toml"
    file.write_text(f'cell = "{OWN}"\n')
    line = ["train", "tag", *words["tag"], "--run", tmp_path / "run", "--config", file]
    assert unspool(*line).code == 0
    file.write_text('cell = "no.such:Cell"\n')
    refused(unspool(*line[:-4], "--run", tmp_path / "other", *line[-2:]), "No module named 'no'")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cell", "lstn"], "--cell must be one of rnn, gru, lstm or package.module:Class"),
        (["--cell", "no.such:Cell"], "--cell must name a class that can be imported"),
        (["--cell", OWN, "--layer-norm"], f"--layer-norm does not go with {OWN}, which has none"),
        (["--cell", "tests.support:LeakyCell"], "LeakyCell has no classmethod create"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_line(unspool, verse, small, tmp_path, words, message):
    done = unspool("train", "text", verse, "--run", tmp_path / "run", *small, *words)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err
    assert not (tmp_path / "run").exists()


def test_a_cell_may_lie_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = [*sys.path]
    assert named_cell("lstm") == "lstm"
    assert sys.path == before
    assert [named_cell("mine:Cell"), named_cell("mine:Other")] == ["mine:Cell", "mine:Other"]
    assert sys.path == [*before, str(tmp_path)]  # after all that is installed
