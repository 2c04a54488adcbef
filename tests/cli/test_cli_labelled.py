"""train classify, tag and generate; classify, tag, sample and eval on their runs."""

import json
import shutil

import numpy as np
import pytest
from tests.cli.tiny import LABELLED, LINES, WORDS
from tests.support import printed


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "lines.txt").write_text(LINES)
    (folder / "words.txt").write_text(WORDS)
    (folder / "test.txt").write_text("x thread\nz wheel\n")
    draw = np.random.default_rng(0).normal(size=(24, 5, 2))
    np.savez(folder / "series.npz", series=draw, labels=[0, 1] * 12, lengths=[5, 3] * 12)
    frames = np.where(draw[..., 0] > 0, "up", "down")
    np.savez(folder / "frames.npz", series=draw, labels=frames, lengths=[5, 3] * 12)
    return folder


@pytest.fixture(scope="session")
def labelled(train_here, tiny, files, tmp_path_factory):
    """Finished runs of each kind."""
    runs = tmp_path_factory.mktemp("runs")
    for kind in ("classify", "tag", "generate"):
        shutil.copytree(tiny(kind), runs / kind)
    commands = {
        "series": ["classify", files / "series.npz"],
        "frames": ["tag", files / "frames.npz", "--no-bidirectional"],
    }
    for name, command in commands.items():
        told = train_here(*command, "--run", runs / name, *LABELLED)
        assert "% of the time steps are padding" in told
    return runs


def test_classify_texts_and_files(unspool, labelled, tmp_path):
    (tmp_path / "texts.txt").write_text("the thread\n\nthe wheel\n")
    found = printed(unspool("classify", labelled / "classify", "the thread", "the wheel"))
    done = unspool("classify", labelled / "classify", tmp_path / "texts.txt")
    assert done.out.splitlines() == [found[0], "", found[1]]
    assert done.err == f"note: 1 texts are empty and get no label: {tmp_path}/texts.txt row 2\n"
    label, others, text = found[0].split("\t")
    assert others.startswith(f"{label} 0.")
    assert text == "the thread"
    (record,) = map(json.loads, printed(unspool("classify", labelled / "classify", "in", "--json")))
    assert record["label"] == max(record["probabilities"], key=record["probabilities"].get)
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_classify_standard_input(spawn, labelled):
    done = spawn("classify", labelled / "classify", "-", stdin="the thread\n\nin\n")
    assert [line.split("\t")[-1] for line in done.out.splitlines()] == ["the thread", "", "in"]
    assert done.err == "note: 1 texts are empty and get no label: standard input row 2\n"


def test_series(unspool, labelled, files):
    found = printed(unspool("classify", labelled / "series", files / "series.npz", "--json"))
    assert len(found) == 24
    assert json.loads(found[0])["text"] == "series 1"
    steps = printed(unspool("tag", labelled / "frames", files / "frames.npz", "--json"))
    assert [len(json.loads(line)["tags"]) for line in steps[:2]] == [5, 3]
    done = unspool("eval", labelled / "frames", files / "frames.npz", "--json")
    assert json.loads("".join(printed(done)))["tokens"] == 12 * 8


def test_tag(unspool, labelled, tmp_path):
    words = printed(unspool("tag", labelled / "tag", "the thread, spin"))
    assert [line.split("\t")[0] for line in words] == ["the", "thread,", "spin", ""]
    found = printed(unspool("tag", labelled / "tag", "the thread, spin", "--raw"))
    assert [line.split("\t")[0] for line in found] == ["the", "thread", ",", "spin", ""]
    assert {line.split("\t")[1] for line in found[:-1]} <= {"O", "B-T", "B-W", "I-W"}


def test_true_labels_stand_beside_those_found(unspool, labelled, files):
    done = unspool("classify", labelled / "classify", files / "lines.txt", "the wheel", "--json")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [record.get("true_label") for record in records] == [*"xyxy" * 6, None]
    assert records[0]["text"] == "the thread goes out"
    assert done.err == (
        f"note: {files}/lines.txt: read as lines `LABEL text`, since most labels are the run's\n"
    )
    done = unspool("tag", labelled / "tag", files / "words.txt", "--json")
    assert json.loads(done.out.splitlines()[1])["true_tags"] == ["B-W", "I-W", "O"]


def test_eval_reads_files_one_after_the_other_and_tells_what_it_left_out(
    unspool, spawn, labelled, files, tmp_path
):
    run, lines = labelled / "classify", files / "lines.txt"
    (one,) = map(json.loads, printed(unspool("eval", run, lines, "--json")))
    (two,) = map(json.loads, printed(unspool("eval", run, lines, lines, "--json")))
    assert two["tokens"] == 2 * one["tokens"]
    assert two["loss_nats"] == pytest.approx(one["loss_nats"])
    assert one["notes"] == [
        "12 of 24 sequences are in the training part too, as the model reads them"
    ]
    assert two["notes"] == [
        "24 of 48 sequences are in the training part too, as the model reads them"
    ]
    piped = spawn("eval", run, "-", "--json", stdin=lines.read_text())
    assert json.loads(piped.out) == one
    for name in ("x/1", "y/1", "README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("the thread")
    (found,) = map(json.loads, printed(unspool("eval", run, tmp_path, "--json")))
    assert found["notes"] == [
        f"{tmp_path}: left out files beside the folders of classes: 1 (README)"
    ]


@pytest.mark.slow
def test_standard_input_trains_as_its_file_does(spawn, files, tmp_path):
    trained = [
        spawn("train", "classify", source, "--run", tmp_path / name, *LABELLED, stdin=LINES).out
        for source, name in ((files / "lines.txt", "file"), ("-", "stdin"))
    ]
    notes = [out.splitlines()[:2] for out in trained]
    assert notes[0] == notes[1]
    assert (tmp_path / "file/vocab.json").read_bytes() == (
        tmp_path / "stdin/vocab.json"
    ).read_bytes()


def test_eval(unspool, labelled, files):
    found = json.loads("".join(printed(unspool("eval", labelled / "classify", "--json"))))
    assert {"loss_nats", "tokens", "accuracy", "macro_f1", "labels", "confusion"} == found.keys()
    assert np.sum(found["confusion"]) == found["tokens"]
    again = unspool("eval", labelled / "classify", files / "lines.txt", "--json")
    assert json.loads("".join(printed(again)))["tokens"] == 24
    lines = printed(unspool("eval", labelled / "tag"))
    assert any(line.startswith("span f1 ") for line in lines)
    assert "row: true label, column: predicted label" in lines
    assert "bits per character" in "".join(printed(unspool("eval", labelled / "generate")))


def test_sample_with_a_condition(unspool, labelled):
    options = ["--condition", "x", "--count", "3", "--max-new-tokens", "9", "--prompt", "th"]
    found = printed(unspool("sample", labelled / "generate", *options))
    assert len(found) == 3
    assert all(line.startswith("th") and len(line) <= 11 for line in found)
    records = printed(unspool("sample", labelled / "generate", *options, "--json"))
    assert [json.loads(line)["text"] for line in records] == found
    assert json.loads(records[0])["condition"] == "x"


def test_info(unspool, labelled):
    facts = json.loads(printed(unspool("info", labelled / "classify", "--json"))[0])
    assert facts["model"]["kind"] == "classifier"
    assert facts["best_val_metrics"].keys() == {"accuracy", "macro_f1"}


def test_resume(unspool, labelled, files):
    run = labelled / "classify"
    done = unspool("train", "classify", files / "lines.txt", "--run", run, "--resume",
                   "--max-steps", "8")  # fmt: skip
    assert "at step 8" in printed(done)[-2]
    assert unspool("train", "classify", files / "words.txt", "--run", run, "--resume").code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "{classify}"], "{classify} is a classifier: use `unspool classify`"),
        (["classify", "{tag}", "a"], "{tag} is a tagger: use `unspool tag`"),
        (["tag", "{generate}", "a"], "is a generator: use `unspool sample --condition`"),
        (["classify", "{text}", "a"], "is a language model: use `unspool sample`"),
        (["sample", "{text}", "--condition", "x"], "--condition does not apply"),
        (["sample", "{generate}"], "--condition must be one of x, y"),
        (["sample", "{generate}", "--condition", "z"], "condition must be one of x, y, got 'z'"),
        (["sample", "{generate}", "--condition", "x", "--stop", "a"], "ends at END"),
        (["classify", "{classify}"], "name texts to label"),
        (["classify", "{classify}", "{series.npz}"], "reads a file of texts"),
        (["classify", "{series}", "a text"], "reads series: name a .ts"),
        (["classify", "{series}", "{lines.txt}"], "reads a .ts, .npz or .csv file of series"),
        (["eval", "{classify}", "{test.txt}"], "test.txt row 2: the label 'z' is not one of"),
        (["eval", "{classify}", "{series.npz}"], "reads text, which this file does not have"),
        (["train", "classify", "--run", "r"], "a file or folder of labelled sequences"),
        (["train", "classify", "nowhere", "--run", "r"], "nowhere does not exist"),
        (["train", "classify", "{lines.txt}", "{lines.txt}", "--run", "r"], "name one file"),
        (["train", "tag", "{lines.txt}", "--run", "r"], "lines.txt row 1: must be a word and its"),
        (["train", "generate", "{series.npz}", "--run", "r"], "must be a single line"),
    ],
)
def test_errors_are_one_line(refused, labelled, files, trained, arguments, message):
    places = {p.name: p for p in (*labelled.iterdir(), *files.iterdir())}
    refused(arguments, message, {**places, "text": trained})
