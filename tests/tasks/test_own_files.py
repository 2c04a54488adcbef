"""Runs in the folder that they are trained on: what is read, and what is resumed."""

import os
import shutil
import sys

import pytest

import unspool
from unspool.errors import RunError
from unspool.tasks.label.recipe import CLASSIFIER
from unspool.tasks.text.recipe import TEXT

TINY = {
    "hidden": 4, "batch": 2, "steps_per_chunk": 4, "max_steps": 2, "eval_every": 2,
    "sample_tokens": 3,
}  # fmt: skip
LINE = "the grey heron waits near the mill.\n"


def start(sources, run, **options):
    return list(TEXT.start(sources, run, TEXT.merge(sources, {**TINY, **options})))


def resume(sources, run, **given):
    _, reports = TEXT.resume(sources, run, {"max_steps": 4, **given})
    return list(reports)


@pytest.fixture
def novel(tmp_path):
    """A folder with a text."""
    (tmp_path / "novel").mkdir()
    (tmp_path / "novel" / "one.txt").write_text(LINE * 20)
    return tmp_path / "novel"


@pytest.mark.parametrize("where", ["runs/a", "a", "."])
def test_a_run_inside_its_text_is_none_of_the_text(novel, where):
    """Resumed, it sees the text that it began with, and so does the next one."""
    run, sources = novel / where, (str(novel),)
    first = start(sources, run)
    assert resume(sources, run)[-1].step == 4
    second = start(sources, novel.parent / "b")
    assert first[0].parameters == second[0].parameters
    texts = [unspool.load(path).config["task"] for path in (run, novel.parent / "b")]
    assert texts[0]["text_sha256"] == texts[1]["text_sha256"]
    assert (novel / "one.txt").read_text() == LINE * 20
    left_out = "files of a run: 8" if where == "." else f"run directories: 1 ({where})"
    assert any(left_out in note for note in second[0].notes)


def test_what_a_killed_start_left_is_no_text(novel):
    unfinished = novel / "run" / ".starting.12.0123abcd" / "data"
    unfinished.mkdir(parents=True)
    (unfinished / "text.json").write_text("{}")
    (novel / "run" / ".lock").touch()
    assert unspool.Text.read(novel).sha256 == unspool.Text.read(novel / "one.txt").sha256


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are UTF-8 there")
def test_a_held_out_text_whose_name_is_not_utf8(novel, tmp_path):
    val, sources = os.fsdecode(os.fsencode(tmp_path) + b"/v\xff\xe9.txt"), (str(novel),)
    shutil.copy(novel / "one.txt", val)
    start(sources, tmp_path / "run", val=val)
    assert resume(sources, tmp_path / "run", val=val)[-1].step == 4
    assert resume((), tmp_path / "run", max_steps=6)[-1].step == 6
    with pytest.raises(RunError, match="val cannot change"):
        resume(sources, tmp_path / "run", val="other.txt")


def test_data_of_another_run_are_noticed_wherever_they_are_read(novel, tmp_path):
    """Whole in itself, but not what this run was trained on."""
    other = tmp_path / "other.txt"
    other.write_text("a grey mill near the heron waits.\n" * 20)  # the same characters
    start((str(novel),), tmp_path / "a")
    start((str(other),), tmp_path / "b")
    shutil.rmtree(tmp_path / "a" / "data")
    shutil.copytree(tmp_path / "b" / "data", tmp_path / "a" / "data")
    run = unspool.load(tmp_path / "a")
    for use in (run.evaluate, lambda: resume((), tmp_path / "a")):
        with pytest.raises(RunError, match=r"not the data that|is damaged: its vocabulary"):
            use()
    assert run.sample("the", max_new_tokens=3)  # which needs no data


def test_labelled_data_of_another_run_are_noticed(tmp_path):
    for name, words in (("a", "ab"), ("b", "ba")):
        rows = "".join(f"{words[i % 2]}\tfilm {i % 3}\n" for i in range(20))
        (tmp_path / f"{name}.tsv").write_text(f"label\ttext\n{rows}")
        sources = (str(tmp_path / f"{name}.tsv"),)
        options = {"hidden": 4, "embedding": 3, "batch": 2, "max_steps": 2, "eval_every": 2}
        list(CLASSIFIER.start(sources, tmp_path / name, CLASSIFIER.merge(sources, options)))
    shutil.rmtree(tmp_path / "a" / "data")
    shutil.copytree(tmp_path / "b" / "data", tmp_path / "a" / "data")
    with pytest.raises(RunError, match="is not the data that the run was trained on"):
        unspool.load(tmp_path / "a").evaluate()


def test_runs_that_kept_no_hash_still_load(novel, tmp_path):
    """As those of the first versions."""
    start((str(novel),), tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"text_sha256"', '"unknown"'))
    assert unspool.load(tmp_path / "run").evaluate().tokens > 0


def test_options_of_another_kind_of_run_are_told_as_such(novel, tmp_path):
    start((str(novel),), tmp_path / "run")
    with pytest.raises(RunError, match=r"options\.toml is not that of a run of 'classify'"):
        CLASSIFIER.resume((), tmp_path / "run", {})
