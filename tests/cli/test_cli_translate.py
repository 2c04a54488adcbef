"""train translate, then translate and eval on its runs."""

import json

import pytest
from tests.cli.tiny import ENGLISH, GERMAN, PAIRS, TRANSLATE
from tests.support import printed


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    texts = {"en": ENGLISH, "de": GERMAN, "short": GERMAN[:-2], "odd": ["in", "", "out"]}
    for name, lines in texts.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    (folder / "both.tsv").write_text(PAIRS)
    return folder


@pytest.fixture(scope="session")
def translator(train_here, files, tmp_path_factory):
    run = tmp_path_factory.mktemp("translator") / "run"
    pairs = ("--source", files / "en", "--target", files / "de")
    told = train_here("translate", *pairs, "--run", run, *TRANSLATE)
    assert "30 sentence pairs to train on, 10 held out" in told
    assert "translate with: unspool translate" in told
    return run


def test_sentences_files_and_standard_input(unspool, spawn, translator, files):
    told = unspool("translate", translator, "in", "out").out.splitlines()
    assert len(told) == 2
    done = unspool("translate", translator, files / "odd")
    assert done.out.splitlines() == [told[0], "", told[1]]
    assert "1 sentences (2): empty, left empty" in done.err
    done = spawn("translate", translator, "-", stdin="in\n\nout\n")
    assert done.out.splitlines() == [told[0], "", told[1]]


def test_folders_and_pairs(unspool, translator, tmp_path):
    (tmp_path / "a.txt").write_text("in\n\n")
    (tmp_path / "b.tsv").write_text("out\thinaus\n")
    told = unspool("translate", translator, "in", "out").out.splitlines()
    done = unspool("translate", translator, tmp_path / "a.txt", tmp_path / "b.tsv", "--json")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [record["translation"] for record in records] == [told[0], "", told[1]]
    assert [record.get("reference") for record in records] == [None, None, "hinaus"]
    (tmp_path / "b.tsv").write_text("out")
    done = unspool("translate", translator, tmp_path)
    assert done.out.splitlines() == [told[0], "", told[1]]


def test_n_best_with_scores(unspool, translator):
    done = unspool("translate", translator, "in", "--n-best", 3, "--json")
    (record,) = map(json.loads, done.out.splitlines())
    best = record["n_best"]
    assert (record["source"], record["translation"]) == ("in", best[0]["text"])
    assert len(best) == 3
    order = [(not one["finished"], -one["score"]) for one in best]
    assert order == sorted(order)
    lines = unspool("translate", translator, "in", "--n-best", 3).out.splitlines()
    assert [line.split("\t")[1].removesuffix(" ...") for line in lines[:3]] == [
        one["text"] for one in best
    ]


def test_drawn_translations_repeat_with_their_seed(unspool, translator):
    drawn = ("translate", translator, "the thread", "--sample", "--n-best", 4)
    first = unspool(*drawn, "--seed", 1).out
    assert first == unspool(*drawn, "--seed", 1).out
    assert first != unspool(*drawn, "--seed", 2).out


def test_attention_is_written(unspool, translator, tmp_path):
    unspool("translate", translator, "in <b>", "out", "--attention", tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert page.count("<figure>") == 2
    assert "in &lt;b&gt;<br>" in page
    unspool("translate", translator, "in", "", "--attention", tmp_path / "a.json")
    (look,) = json.loads((tmp_path / "a.json").read_text())
    assert look["source"] == ["i", "n", "END"]
    assert [len(row) for row in look["weights"]] == [3] * len(look["target"])
    assert all(sum(row) == pytest.approx(1, rel=1e-4) for row in look["weights"])


def test_eval_counts_bleu(unspool, translator, files):
    pytest.importorskip("sacrebleu")
    pairs = ("--source", files / "en", "--target", files / "de")
    (found,) = map(json.loads, printed(unspool("eval", translator, *pairs, "--json")))
    assert 0 <= found["bleu"] <= 100
    assert 0 <= found["chrf"] <= 100
    assert "tok:13a" in found["signature"]
    assert (found["sentences"], found["num_beams"]) == (40, 5)
    (same,) = map(json.loads, printed(unspool("eval", translator, files / "both.tsv", "--json")))
    assert same == found
    assert found["notes"] == [
        "30 of 40 sentences are in the training part too, as the model reads them"
    ]
    options = ("--num-beams", 1, "--tokenize", "none")
    shown = printed(unspool("eval", translator, *pairs, *options))
    assert any(line.startswith("bleu ") for line in shown)
    assert any("tok:none" in line for line in shown)
    assert "note: 30 of 40 sentences are in the training part too, as the model reads them" in shown
    own = printed(unspool("eval", translator))
    assert "nats per token over" in own[0]


def test_resume_goes_on(unspool, translator, files, tmp_path):
    import shutil

    run = tmp_path / "run"
    shutil.copytree(translator, run)
    done = unspool("train", "translate", "--run", run, "--resume", "--max-steps", 8)
    assert "finished at step 8" in done.out
    table = ("--resume", "--max-steps", 9)
    done = unspool("train", "translate", files / "both.tsv", "--run", run, *table)
    assert "finished at step 9" in done.out  # the same pairs, from a table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "translate", "--run", "r"], "sentence pairs must be named"),
        (["train", "translate", "--source", "{en}", "--run", "r"], "name its file with --t"),
        (
            ["train", "translate", "--source", "{en}", "--target", "{short}", "--run", "r"],
            "{short} has 38 lines and {en} 40: line 39 of {en} has no partner",
        ),
        (["train", "translate", "{en}", "--run", "r"], "{en} line 1: must be SOURCE<TAB>TARGET"),
        (["translate", "{run}"], "name sentences to translate"),
        (["translate", "{run}", "in", "--n-best", "9"], "--n-best must be at most --num-beams (5)"),
        (["translate", "{run}", "in", "--temperature", "0.5"], "need --sample"),
        (["translate", "{run}", "in", "--attention", "a.png"], "must end in .html or .json"),
        (
            ["translate", "{run}", "in", "--length-penalty", "nan"],
            "--length-penalty must be from -5 to 5, got nan",
        ),
        (
            ["eval", "{run}", "{both}", "--length-penalty-form", "mean"],
            "--length-penalty-form must be one of power, gnmt, got 'mean'",
        ),
        (["eval", "{run}", "--source", "{en}"], "name its file with --t"),
        (["eval", "{run}", "{both}", "--tokenize", "x"], "tokenize must be one of"),
        (
            ["eval", "{run}", "--weights", "int8"],
            "--weights does not apply: {run} is a translator\n",
        ),
        (["sample", "{run}"], "is a translator: use `unspool translate`"),
    ],
)
def test_wrong_input_is_one_line(refused, translator, files, arguments, message):
    places = {name: files / name for name in ("en", "short")}
    refused(arguments, message, {**places, "both": files / "both.tsv", "run": translator})
