"""Options in layers, TOML files that come back as they went, runs made from options."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unspool
from unspool import options_file
from unspool.errors import ConfigError, RunError
from unspool.tasks.text.recipe import (
    PRESETS,
    TextOptions,
    create_model,
    merge_options,
    train_text,
)
from unspool.training import StepReport


@pytest.fixture
def presets(monkeypatch):
    monkeypatch.setitem(PRESETS, "medium", {"hidden": 77, "layers": 3, "max_steps": 9})


def test_preset_then_file_then_flags(presets):
    options = merge_options({"preset": "medium", "layers": 2, "batch": 5}, {"batch": 6})
    assert (options.hidden, options.layers, options.batch) == (77, 2, 6)


def test_the_last_layer_chooses_the_preset(presets):
    assert merge_options({"preset": "small"}, {"preset": "medium"}).hidden == 77
    assert merge_options({"preset": "medium"}, {"preset": "small"}).hidden != 77


def test_a_limit_of_ones_own_replaces_that_of_the_preset(presets):
    assert merge_options({"preset": "medium"}).max_steps == 9
    options = merge_options({"preset": "medium"}, {"max_minutes": 1})
    assert (options.max_steps, options.max_minutes) == (None, 1)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_and_come_back_from_their_file(preset, tmp_path):
    options = merge_options({"preset": preset})
    assert all(getattr(options, key) == value for key, value in PRESETS[preset].items())
    options_file.write(tmp_path / "a.toml", options.as_dict())
    assert merge_options(options_file.read(tmp_path / "a.toml")) == options
    assert TextOptions.merge(options_file.read(tmp_path / "a.toml")) == options
    assert create_model(50, options).vocab_size == 50


def test_unknown_keys_and_presets_are_refused():
    with pytest.raises(ConfigError, match="unknown option 'hiden': did you mean 'hidden'"):
        merge_options({"hiden": 5})
    with pytest.raises(ConfigError, match="preset must be one of small, medium, large"):
        merge_options({"preset": "huge"})


values = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
finite = values.filter(lambda value: value not in (float("inf"), -float("inf")))


@given(table=st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), finite))
def test_any_flat_table_comes_back(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("toml") / "a.toml"
    options_file.write(path, {**table, "NONE": None})
    assert tomllib.loads(path.read_text(encoding="utf-8")) == table
    assert options_file.read(path) == table


@pytest.mark.parametrize("content", [None, b"a = ", b"\xff", b"a = 1\na = 2"])
def test_files_that_are_no_toml(tmp_path, content):
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=r"a\.toml"):
        options_file.read(path, RunError)


def test_train_text_makes_the_model_and_task_of_its_options(tmp_path):
    (tmp_path / "text.txt").write_text("one two three " * 99)
    options = merge_options(
        {"cell": "lstm", "hidden": 5, "layers": 2, "embedding": 5, "tied": True, "batch": 3,
         "dropout": 0.25, "steps_per_chunk": 4, "max_steps": 2, "seed": 9, "softmax": "sampled",
         "softmax_samples": 7, "sample_tokens": 0, "val_fraction": 0.2, "layer_norm": True},
    )  # fmt: skip
    reports = list(train_text((str(tmp_path / "text.txt"),), tmp_path / "run", options))
    assert sum(isinstance(report, StepReport) for report in reports) == 2
    run = unspool.load(tmp_path / "run")
    assert run.config["model"] == {
        "kind": "language", "cell": "lstm", "vocab_size": 9, "hidden_size": 5, "num_layers": 2,
        "embedding_size": 5, "tied": True, "layer_norm": True, "dropout": 0.25,
        "dropout_embedding": 0.0, "weight_drop": 0.0,
    }  # fmt: skip
    task = run.config["task"]
    assert (task["batch"], task["steps_per_chunk"], task["seed"]) == (3, 4, 9)
    assert (task["softmax"], task["softmax_samples"]) == ("sampled", 7)
    assert task["val_tokens"] == 278
    assert run.config["training"]["seed"] == 9
