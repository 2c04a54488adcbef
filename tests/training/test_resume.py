"""A run that was stopped and resumed is the run that was never stopped, bit for bit."""

import json
import random
import shutil
import signal

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from tests.support import create_leaky

import unspool
from unspool import RunError, StepReport
from unspool.training import directory

STEPS = 40
OPTIONS = {
    "max_steps": STEPS, "eval_every": 7, "log_every": 1, "save_minutes": 1e6, "average": 0.1,
}  # fmt: skip
TIMES = {"tokens_per_s", "elapsed_s"}


def make(text, hidden_size=6, dropout=0.2, batch=4, **task_options):
    task = unspool.LanguageTask(
        text, batch=batch, steps_per_chunk=8, sample_tokens=5, **task_options
    )
    model = unspool.LanguageModel.create(
        text.vocab, cell="lstm", hidden_size=hidden_size, num_layers=2, dropout=dropout,
        weight_drop=0.1, dropout_embedding=0.1,
    )  # fmt: skip
    return model, task


def outcome(run):
    """All that a run leaves behind, but for times and starts."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    records = [{k: v for k, v in line.items() if k not in TIMES} for line in lines]
    return {
        "records": [record for record in records if record.get("event") != "start"],
        "samples": (run / "samples.txt").read_text(),
        "state": safetensors.numpy.load_file(run / "train-state.safetensors"),
        "model": safetensors.numpy.load_file(run / "model.safetensors"),
        "best": (unspool.load(run).step, unspool.load(run).val_loss_nats),
    }


def saved_step(run):
    with safetensors.safe_open(run / "train-state.safetensors", framework="numpy") as file:
        return json.loads(file.metadata()["facts"])["progress"]["step"]


def assert_same(run, reference):
    found = outcome(run)
    for part in ("records", "samples", "best"):
        assert found[part] == reference[part]
    for part in ("state", "model"):
        assert found[part].keys() == reference[part].keys()
        for name, array in reference[part].items():
            assert np.array_equal(found[part][name], array), f"{part} {name}"


@pytest.fixture(scope="module")
def straight(text, tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    list(unspool.train(*make(text), run=run, **OPTIONS))
    return run


@pytest.fixture(scope="module")
def reference(straight):
    return outcome(straight)


def train_until(step, text, run, resume=False, **options):
    """Leave the loop after step number `step`."""
    for report in unspool.train(*make(text), run=run, resume=resume, **{**OPTIONS, **options}):
        if isinstance(report, StepReport) and report.step >= step:
            return


def test_the_reference_covers_what_can_go_wrong(reference):
    """More than one epoch, several evaluations, a state and an average worth restoring."""
    assert len([r for r in reference["records"] if "loss_nats" in r]) == STEPS
    assert len([r for r in reference["records"] if "val_loss_nats" in r]) == 6
    assert any(name.startswith("average.") for name in reference["state"])
    carried = [v for name, v in reference["state"].items() if name.startswith("carried.")]
    assert len(carried) == 4
    assert all(np.any(leaf != 0) for leaf in carried)


@pytest.mark.parametrize("seed", range(4))
def test_leaving_the_loop_and_resuming(text, tmp_path, reference, seed):
    stops = sorted(random.Random(seed).sample(range(1, STEPS), 3))
    for index, step in enumerate([*stops, STEPS + 1]):
        train_until(step, text, tmp_path / "run", resume=index > 0)
        assert saved_step(tmp_path / "run") == min(step, STEPS)
    assert_same(tmp_path / "run", reference)


def test_a_cell_of_ones_own_resumes_bit_for_bit(text, tmp_path):
    task = make(text)[1]
    model = unspool.LanguageModel.create(text.vocab, cell=create_leaky, hidden_size=6, dropout=0.2)
    options = {"max_steps": 12, "eval_every": 4, "average": 0.1}
    list(unspool.train(model, task, run=tmp_path / "straight", **options))
    for report in unspool.train(model, task, run=tmp_path / "run", **options):
        if isinstance(report, StepReport) and report.step == 5:
            break
    list(unspool.train(model, task, run=tmp_path / "run", resume=True, **options))
    for name in ("train-state", "model"):
        found, wanted = (
            safetensors.numpy.load_file(tmp_path / run / f"{name}.safetensors")
            for run in ("run", "straight")
        )
        assert "w_hid" in " ".join(found)
        assert found.keys() == wanted.keys()
        assert all(np.array_equal(found[key], wanted[key]) for key in found)
    loaded = unspool.load(tmp_path / "run", cell=create_leaky)
    assert loaded.config["model"]["cell"] == "docstring:LeakyCell"
    assert len(loaded.sample("The", max_new_tokens=5)) > 0


def test_an_older_run_of_a_cell_of_ones_own_resumes(text, tmp_path):
    task = make(text)[1]
    model = unspool.LanguageModel.create(text.vocab, cell=create_leaky, hidden_size=6)
    list(unspool.train(model, task, run=tmp_path / "run", max_steps=2))
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["model"]["cell"] = "own: LeakyCell"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    list(unspool.train(model, task, run=tmp_path / "run", resume=True, max_steps=3))
    assert unspool.load(tmp_path / "run", cell=create_leaky).step == 3


def test_steps_after_the_last_save_are_made_again(text, tmp_path, reference):
    """A kill leaves metrics and samples of steps that the saved state has not seen."""
    run, state = tmp_path / "run", tmp_path / "state"
    train_until(10, text, run)
    shutil.copy(run / directory.STATE, state)
    train_until(25, text, run, resume=True)
    shutil.copy(state, run / directory.STATE)
    assert "25" in (run / "metrics.jsonl").read_text()
    train_until(STEPS + 1, text, run, resume=True)
    assert_same(run, reference)


def test_half_a_line_in_the_journal_is_cut_off(text, tmp_path, reference):
    run = tmp_path / "run"
    train_until(10, text, run)
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 11, "loss_n')
    train_until(STEPS + 1, text, run, resume=True)
    assert_same(run, reference)


@pytest.mark.parametrize("step", [14, STEPS])
def test_a_signal_ends_a_long_sample_and_the_evaluation_is_made_again(
    text, tmp_path, reference, step
):
    """At an evaluation in the middle, and at the last one."""
    run, drawn = tmp_path / "run", []
    model, task = make(text)

    def endless(model, number):
        if number != step:
            yield from sample(model, number)
        while number == step:
            drawn.append(len(drawn))
            signal.raise_signal(signal.SIGTERM)
            yield "and so on"

    sample, task.sample = task.sample, endless
    reports = list(unspool.train(model, task, run=run, **OPTIONS))
    assert reports[-1].reason == "stopped by SIGTERM"
    assert (reports[-1].step, len(drawn)) == (step, 1)
    assert "and so on" not in (run / "samples.txt").read_text()
    train_until(STEPS + 1, text, run, resume=True)
    assert_same(run, reference)


def test_a_finished_run_can_train_for_longer(text, tmp_path):
    options = {"schedule": "constant", "warmup_steps": 4, "eval_every": 5}
    train_until(99, text, tmp_path / "a", max_steps=20, **options)
    train_until(99, text, tmp_path / "a", resume=True, max_steps=30, **options)
    train_until(99, text, tmp_path / "b", max_steps=30, **options)
    assert_same(tmp_path / "a", outcome(tmp_path / "b"))


def test_resuming_a_finished_run_does_nothing(text, straight, tmp_path, reference):
    shutil.copytree(straight, tmp_path / "run")
    reports = list(unspool.train(*make(text), run=tmp_path / "run", resume=True, **OPTIONS))
    assert not any(isinstance(report, StepReport) for report in reports)
    assert reports[-1].reason == "finished"
    assert_same(tmp_path / "run", reference)


def test_a_text_that_has_moved_is_the_same_text(text, verse, straight, tmp_path, reference):
    run = tmp_path / "run"
    train_until(10, text, run)
    moved = unspool.Text.read(shutil.copy(verse, tmp_path / "moved.txt"))
    list(unspool.train(*make(moved), run=run, resume=True, **OPTIONS))
    assert_same(run, reference)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learning_rate": 0.1}, "learning_rate has changed from 0.004 to 0.1"),
        ({"seed": 1}, "seed has changed from 0 to 1"),
        ({"average": 0.0}, "average has changed"),
        ({"hidden_size": 7}, "hidden_size has changed from 6 to 7"),
        ({"dropout": 0.0}, "dropout has changed"),
        ({"batch": 5}, "batch has changed"),
        ({"task_seed": 3}, "seed has changed from 0 to 3"),
        ({"softmax": "sampled"}, "softmax has changed"),
        ({"text": "The thread"}, "the text has changed"),
        ({"text": "α"}, "the text has changed"),
    ],
)
def test_a_change_is_refused_by_name(text, verse, straight, tmp_path, change, named):
    change, run = dict(change), tmp_path / "run"
    shutil.copytree(straight, run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    if "text" in change:
        path = tmp_path / "other.txt"
        path.write_text(verse.read_text() + change.pop("text"))
        text = unspool.Text.read(path)
    made = {name: change.pop(name) for name in ("hidden_size", "dropout", "batch", "softmax")
            if name in change}  # fmt: skip
    if "task_seed" in change:
        made["seed"] = change.pop("task_seed")
    with pytest.raises(RunError, match=f"cannot resume .*{named}"):
        list(unspool.train(*make(text, **made), run=run, resume=True, **{**OPTIONS, **change}))
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_another_vocabulary_of_the_same_text_is_refused(text, verse, straight, tmp_path):
    shutil.copytree(straight, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["task"]["vocabulary"] = "0" * 64
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="the vocabulary has changed"):
        list(unspool.train(*make(text), run=tmp_path / "run", resume=True, **OPTIONS))


@pytest.mark.parametrize("name", [directory.CONFIG, directory.STATE, directory.MODEL])
@pytest.mark.parametrize("damage", ["gone", "empty", "half", "flip"])
def test_a_damaged_run_is_refused(text, straight, tmp_path, name, damage):
    run = tmp_path / "run"
    shutil.copytree(straight, run)
    data = bytearray((run / name).read_bytes())
    data[-40] ^= 1
    content = {"empty": b"", "half": bytes(data[: len(data) // 2]), "flip": bytes(data)}
    (run / name).unlink()
    if damage in content:
        (run / name).write_bytes(content[damage])
    with pytest.raises(RunError, match=f"{name}|cannot resume"):
        list(unspool.train(*make(text), run=run, resume=True, **OPTIONS))


def test_a_run_of_a_newer_format_is_refused(text, straight, tmp_path):
    shutil.copytree(straight, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(RunError, match=r"newer Unspool.*format 99.*upgrade"):
        list(unspool.train(*make(text), run=tmp_path / "run", resume=True))


def test_a_run_of_an_older_format_is_used_but_not_resumed(text, straight, tmp_path):
    """Its rates, averages and lanes followed other rules: it would not continue as it started."""
    run = tmp_path / "run"
    shutil.copytree(straight, run)
    path = run / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 1}))
    before = {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()}
    with pytest.raises(RunError, match=r"cannot resume .*: Unspool .* began it, .*its weights can"):
        list(unspool.train(*make(text), run=run, resume=True, **OPTIONS))
    assert {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()} == before
    assert unspool.load(run).sample("the", max_new_tokens=3)


def test_a_missing_run_is_refused(text, tmp_path):
    with pytest.raises(RunError, match="not a run directory"):
        list(unspool.train(*make(text), run=tmp_path / "none", resume=True))
    assert not (tmp_path / "none").exists()


def test_resuming_with_another_time_loop_is_said(text, tmp_path, monkeypatch):
    def first_report(**options):
        model, task = make(text)
        return next(unspool.train(model, task, run=tmp_path / "run", **options))

    first_report(max_steps=2)
    assert "another time loop" not in str(first_report(max_steps=3, resume=True))
    monkeypatch.setattr("unspool.training.loop.backends", lambda model: ("another",))
    assert "another time loop" in str(first_report(max_steps=3, resume=True))
