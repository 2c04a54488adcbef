"""Loading a run: its weights, vocabulary, samples and evaluation."""

import json
import shutil

import jax
import numpy as np
import pytest

import unspool
from unspool import RunError

VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "verse.txt").write_text(VERSE)
    text = unspool.Text.read(folder / "verse.txt")
    task = unspool.LanguageTask(text, batch=4, steps_per_chunk=8, sample_tokens=0)
    model = unspool.LanguageModel.create(text.vocab, cell="gru", hidden_size=6)
    list(unspool.train(model, task, run=folder / "run", max_steps=8, eval_every=4))
    return folder


@pytest.fixture
def run(trained):
    return unspool.load(trained / "run")


def test_what_is_loaded(run, trained):
    assert run.path == trained / "run"
    assert (run.step, run.vocab.kind) == (8, "char")
    assert run.config["model"]["hidden_size"] == 6
    assert run.val_loss_nats == pytest.approx(3.17, abs=0.1)


def test_the_loaded_weights_are_those_that_were_evaluated(run, trained):
    text = unspool.Text.read(trained / "verse.txt")
    task = unspool.LanguageTask(text, batch=4, steps_per_chunk=8)
    assert task.evaluate(run.model).loss_nats == run.val_loss_nats


def test_a_sample_is_its_stream(run):
    options = {"max_new_tokens": 100, "temperature": 0.9, "seed": 4}
    pieces = [piece for (piece,) in run.stream("The", **options)]
    assert len(pieces) >= 2
    assert run.sample("The", **options) == "The" + "".join(pieces)
    assert len("".join(pieces)) == 100


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_a_stepper_made_once_writes_the_same(run, weights):
    options = {"max_new_tokens": 60, "count": 2, "seed": 4}
    kept = [list(run.stream("The", weights=weights, **options)) for _ in range(2)]
    made = list(unspool.stream_text(run.model, run.vocab, "The", weights=weights, **options))
    assert kept == [made, made]
    assert run.stepper(weights) is run.stepper(weights) is not run.stepper(weights, True)


def test_a_stop_string_that_never_comes_changes_nothing(run):
    options = {"max_new_tokens": 70, "seed": 4}
    assert run.sample("The", stop="never", **options) == run.sample("The", **options)


def test_a_stop_string_is_found_wherever_it_begins(run):
    """Pieces of the stream end in the middle of some of these."""
    options = {"max_new_tokens": 70, "temperature": 1.0, "seed": 4}
    whole = run.sample("T", **options)[1:]
    for start in range(68):
        stop = whole[start : start + 3]
        assert run.sample("T", stop=stop, **options) == "T" + whole[: whole.index(stop)]


def test_evaluate_on_texts(run, trained):
    whole = run.evaluate(trained / "verse.txt")
    assert whole.tokens == len(VERSE) - 1
    with pytest.raises(RunError, match="has not kept its data"):
        run.evaluate()


def test_a_run_without_weights_is_refused(trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(RunError, match="no weights"):
        unspool.load(tmp_path / "run")


def test_another_vocabulary_is_refused(trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    path = tmp_path / "run" / "vocab.json"
    vocab = json.loads(path.read_text())
    path.write_text(json.dumps({**vocab, "chars": vocab["chars"] + "\U0001f600"}))
    with pytest.raises(RunError, match="not the one it was trained with"):
        unspool.load(tmp_path / "run")


def test_weights_of_another_shape_are_refused(trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"hidden_size": 6', '"hidden_size": 7'))
    with pytest.raises(RunError, match=r"does not fit this run's config\.json"):
        unspool.load(tmp_path / "run")


def test_a_model_can_be_given(trained, run):
    like = unspool.LanguageModel.create(run.vocab, cell="gru", hidden_size=6, seed=99)
    loaded = unspool.load(trained / "run", model=like)
    assert all(map(np.array_equal, jax.tree.leaves(loaded.model), jax.tree.leaves(run.model)))
