"""`unspool train text`: options, files, signals and resuming."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import sys
import tomllib

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import typer

from unspool.cli.main import app
from unspool.tasks.text.recipe import TextOptions, merge_options

OPTIONS = [field.name for field in dataclasses.fields(TextOptions)]


def saved_step(run):
    with safetensors.safe_open(run / "train-state.safetensors", framework="numpy") as file:
        return json.loads(file.metadata()["facts"])["progress"]["step"]


def losses(run):
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    keys = ("step", "loss_nats", "val_loss_nats", "learning_rate", "gradient_norm", "is_best")
    kept = [{k: line[k] for k in keys if k in line} for line in lines if "event" not in line]
    return kept, (run / "samples.txt").read_text()


def assert_same_run(a, b):
    assert losses(a) == losses(b)
    for name in ("train-state.safetensors", "model.safetensors"):
        one, two = (safetensors.numpy.load_file(run / name) for run in (a, b))
        assert one.keys() == two.keys()
        assert all(np.array_equal(one[key], two[key]) for key in one)


def test_flags_fields_and_keys_are_the_same_words():
    command = typer.main.get_command(app).commands["train"].commands["text"]
    flags = {name for param in command.params for name in param.opts + param.secondary_opts}
    bools = {name for name in OPTIONS if isinstance(getattr(TextOptions(), name), bool)}
    expected = {"--" + name.replace("_", "-") for name in OPTIONS}
    expected |= {"--no-" + name.replace("_", "-") for name in bools}
    assert flags - expected == {"paths", "--run", "--config", "--resume"}
    assert expected <= flags


def test_every_flag_reaches_its_option(monkeypatch, unspool, tmp_path, verse):
    """Through the parser to the recipe, each option at a value that is not its default."""
    received = {}
    values = {
        "preset": "medium", "cell": "rnn", "tokens": "bpe", "schedule": "constant",
        "softmax": "sampled", "val": "held.txt", "unknown": "refuse",
    }  # fmt: skip
    for field in dataclasses.fields(TextOptions):
        kinds = getattr(field.type, "__args__", (field.type,))
        values.setdefault(field.name, True if bool in kinds else 7 if int in kinds else 0.375)
    monkeypatch.setattr(
        "unspool.cli.train.TEXT.start",
        lambda sources, run, options: received.update(options.as_dict()) or iter(()),
    )
    flags = []
    for name, value in values.items():
        flags += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
    assert unspool("train", "text", verse, "--run", tmp_path / "run", *flags).code == 0
    assert received == values


@pytest.mark.parametrize(
    "command", ["", "train", "train text", "sample", "eval", "info", "hello", "demo"]
)
def test_help_mentions_every_option(unspool, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    done = unspool(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    group = typer.main.get_command(app)
    for word in command.split():
        group = group.commands[word]
    for param in group.params:
        for name in param.opts if param.param_type_name == "option" else ():
            assert name in done.out
        if param.param_type_name == "option":
            assert (param.help or "Show this message").split()[0] in done.out
    for name, child in getattr(group, "commands", {}).items():
        assert name in done.out
        assert child.get_short_help_str() in done.out or child.help.split(".")[0][:40] in done.out


def test_help_shows_defaults(unspool, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    text = unspool("train", "text", "--help").out
    for default in (r"small, medium, large \(small\)", r"lstm or package.module:Class \(\w+\)",
                    r"cosine, constant \(cosine\)", r"\(64\)"):  # fmt: skip
        assert re.search(default, text), default
    assert "(a new one under runs/)" in unspool("demo", "--help").out


def test_help_of_a_real_process(spawn):
    assert spawn("--help").code == 0
    assert spawn("--version").out.startswith("unspool ")
    bare = spawn()
    assert bare.code == 2
    assert "Usage" in bare.out + bare.err
    assert "Traceback" not in bare.err


def test_preset_file_and_flags_in_that_order(unspool, verse, tmp_path, small):
    config = tmp_path / "a.toml"
    config.write_text(
        f'paths = ["{verse}"]\nrun = "{tmp_path / "run"}"\n'
        'preset = "medium"\ncell = "rnn"\nhidden = 7\nseed = 3\n'
    )
    assert unspool("train", "text", "--config", config, "--seed", 4, *small).code == 0
    saved = tomllib.loads((tmp_path / "run" / "options.toml").read_text())
    assert (saved["preset"], saved["cell"], saved["hidden"], saved["seed"]) == (
        "medium", "rnn", 8, 4,
    )  # fmt: skip
    assert saved["learning_rate"] == merge_options({"preset": "medium"}).learning_rate


def test_what_a_run_used_can_be_given_again(unspool, trained, verse, tmp_path):
    run, saved = tmp_path / "run", trained / "options.toml"
    assert unspool("train", "text", verse, "--run", run, "--config", saved).code == 0
    assert (run / "options.toml").read_text() == saved.read_text()
    assert_same_run(run, trained)


def test_what_is_printed(unspool, verse, tmp_path, small):
    run = tmp_path / "run"
    done = unspool("train", "text", verse, "--run", run, *small)
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "1,278 tokens to train on, 142 held out, 24 distinct"
    assert re.match(r"[\d,]+ parameters; time loop: ", lines[1])
    assert re.match(r"step 1  loss \d\.\d{3} nats  [\d,]+ tokens/s  0:0\d elapsed, ", lines[2])
    evaluations = [line for line in lines if "held-out loss" in line]
    assert [line.split()[1] for line in evaluations[:3]] == ["5", "10", "12"]
    assert all("bits per character" in line for line in evaluations[:3])
    best = min(r["val_loss_nats"] for r in losses(run)[0] if "val_loss_nats" in r)
    assert any(
        line.startswith("finished at step 12; kept: step ")
        and line.endswith(f"best held-out loss {best:.4f} nats; the run is in {run}")
        for line in lines
    )
    assert lines[-1] == f'write with: unspool sample {run} --prompt "..."'


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal(process, verse, trained, tmp_path, small):
    """The progress bar, and everything else that plain output says."""
    controller, terminal = os.openpty()
    run = tmp_path / "run"
    with process(
        "train", "text", verse, "--run", run, *small, stdout=terminal, env={"TERM": "xterm"}
    ) as training:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the other end has gone
            while data := os.read(controller, 4096):
                shown += data
        err = training.stderr.read()
    os.close(controller)
    assert (training.returncode, err) == (0, "")
    text = shown.decode()
    assert "\x1b[" in text
    assert "tokens/s" in text
    assert "held-out loss" in text
    assert "finished at step 12" in text
    assert_same_run(run, trained)


def test_standard_input(spawn, verse, trained, tmp_path, small):
    run = tmp_path / "run"
    done = spawn("train", "text", "-", "--run", run, *small, stdin=verse.read_text())
    assert done.code == 0
    assert_same_run(run, trained)


def test_several_files_and_a_held_out_text(unspool, verse, tmp_path, small):
    (tmp_path / "held.txt").write_text("The wheel will spin. The thread goes out.")
    (tmp_path / "folder").mkdir()
    shutil.copy(verse, tmp_path / "folder")
    run = tmp_path / "run"
    done = unspool(
        "train", "text", verse, tmp_path / "folder", "--val", tmp_path / "held.txt", "--run", run,
        *small,
    )  # fmt: skip
    assert done.code == 0
    assert "2,840 tokens to train on, 41 held out" in done.out
    assert json.loads(unspool("eval", run, "--json").out)["tokens"] == 40


@pytest.mark.parametrize("name", ["smile-😀.txt", "del-\x7f.txt", 'quote-"\\.txt'])
def test_odd_file_names_survive_a_resume(unspool, verse, tmp_path, small, name):
    shutil.copy(verse, tmp_path / name)
    run = tmp_path / "run"
    text = tmp_path / name
    assert unspool("train", "text", text, "--val", text, "--run", run, *small).code == 0
    assert tomllib.loads((run / "options.toml").read_text())["val"] == str(text)
    assert unspool("train", "text", text, "--run", run, "--resume").code == 0


def test_a_file_name_that_is_not_utf8(spawn, verse, tmp_path, small):
    name = bytes(tmp_path) + b"/caf\xe9.txt"
    shutil.copy(bytes(verse), name)
    run = tmp_path / "run"
    assert spawn("train", "text", os.fsdecode(name), "--run", run, *small).code == 0
    assert spawn("train", "text", "--run", run, "--resume").code == 0


def test_resume_goes_on_with_the_limits_it_was_given(unspool, trained, verse, tmp_path):
    """A limit that a resumed run was given is saved: the next resume needs no flags."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    more = ("--max-steps", "20", "--resume")
    assert "at step 20" in unspool("train", "text", verse, "--run", run, *more).out
    again = unspool("train", "text", "--run", run, "--resume")
    assert "finished at step 20" in again.out
    assert tomllib.loads((run / "options.toml").read_text())["max_steps"] == 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on_as_if_nothing_was(
    process, unspool, verse, tmp_path, small, number
):
    long = [*small, "--max-steps", "1500", "--eval-every", "500", "--dropout", "0.2"]
    run, whole = tmp_path / "run", tmp_path / "whole"
    with process("train", "text", verse, "--run", run, *long) as training:
        for line in training.stdout:
            if line.startswith("step 1 "):
                break
        training.send_signal(number)
        out, err = training.communicate(timeout=60)
    assert (training.returncode, err) == (0, "")
    name = signal.Signals(number).name
    stopped = re.search(rf"stopped by {name} at step (\d+)", out)
    assert stopped
    assert 0 < int(stopped[1]) == saved_step(run) < 1500
    hint = re.search(r"resume with: unspool (.*)", out)[1]
    assert unspool("sample", run, "--max-new-tokens", 3).code == 0
    assert unspool(*hint.split()).code == 0
    assert unspool("train", "text", verse, "--run", whole, *long).code == 0
    assert_same_run(run, whole)


@pytest.mark.parametrize(
    ("tokens", "options"),
    [("word", []), ("bpe", ["--vocab-size", "270"]), ("byte", [])],
)
def test_other_tokens_end_to_end(unspool, verse, tmp_path, small, tokens, options):
    run = tmp_path / "run"
    line = ("train", "text", verse, "--run", run, *small, "--tokens", tokens, *options)
    assert unspool(*line).code == 0
    done = unspool("sample", run, "--prompt", "The ", "--max-new-tokens", 20, "--json")
    assert done.code == 0
    record = json.loads(done.out)
    assert (record["prompt"], len(record["text"]) > 0) == ("The ", True)
    assert json.loads(unspool("eval", run, "--json").out)["bits_per_char"] > 0


def test_every_architecture_option_trains(unspool, verse, tmp_path, small):
    run = tmp_path / "run"
    options = [
        "--cell", "rnn", "--layers", "2", "--embedding", "8", "--tied", "--layer-norm",
        "--dropout", "0.1", "--dropout-embedding", "0.1", "--weight-drop", "0.1",
        "--average", "0.1", "--schedule", "constant",
    ]  # fmt: skip
    assert unspool("train", "text", verse, "--run", run, *small, *options).code == 0
    assert unspool("sample", run, "--max-new-tokens", 5).code == 0


def test_demo(unspool, tmp_path):
    run = tmp_path / "run"
    done = unspool("demo", "--minutes", "0.05", "--run", run)
    assert (done.code, done.err) == (0, "")
    assert "Python standard library" in done.out
    assert "held-out loss" in done.out
    assert "\ndef " in done.out
    assert f"unspool sample {run}" in done.out
    assert unspool("info", run).code == 0
