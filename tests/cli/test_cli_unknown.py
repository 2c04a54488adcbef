"""Unknown tokens, and bytes that are not text: sample, eval and inspect."""

import json

import numpy as np
import pytest

import unspool as library
from unspool.decoding import LanguageStepper, sample

TINY = [
    "--hidden", "16", "--batch", "4", "--steps-per-chunk", "16", "--sample-tokens", "0",
    "--warmup-steps", "5", "--learning-rate", "0.02",
]  # fmt: skip
TALE = "".join(
    f"The {who} {does} {what} today.\n"
    for who in ("heron", "pilot", "baker")
    for does in ("counts", "paints")
    for what in ("stones", "lamps")
) * 20  # fmt: skip
LATIN = "café déjà été garçon où là forêt hôtel\n".encode("latin-1") * 60


@pytest.fixture(scope="module")
def train(spawn, tmp_path_factory):
    def run(data, *options, steps=60):
        folder = tmp_path_factory.mktemp("run")
        (folder / "t.txt").write_bytes(data)
        line = ("train", "text", folder / "t.txt", "--run", folder / "r", *TINY, *options)
        done = spawn(*line, "--max-steps", steps)
        assert done.code == 0, done.err
        return folder / "r", done.out

    return run


@pytest.fixture(scope="module")
def words(train):
    return train(TALE.encode(), "--tokens", "word")[0]


@pytest.fixture(scope="module")
def bytes_run(train):
    return train(LATIN, "--tokens", "byte", steps=200)[0]


def continued(unspool, run, prompt, *options):
    done = unspool("sample", run, "--prompt", prompt, "--temperature", 0, *options)
    assert done.code == 0, done.err
    return done.out, done.err


def test_a_known_word_is_known_wherever_it_stands(unspool, words):
    plain, err = continued(unspool, words, "The heron counts", "--max-new-tokens", 4)
    assert err == ""
    assert continued(unspool, words, "The heron counts ", "--max-new-tokens", 4) == (plain, "")
    assert continued(unspool, words, "stones", "--max-new-tokens", 4)[1] == ""
    vocab = library.load(words).vocab
    assert vocab.encode("stones")[0] == vocab.encode(" stones")[0] != vocab.unknown_id


def test_what_a_prompt_has_unknown_is_named(unspool, words, trained):
    out, err = continued(unspool, words, "The zebra counts a zebra", "--max-new-tokens", 9)
    assert err == "note: unknown to the run: 'zebra', 'a'; the unknown token is read instead\n"
    assert out.startswith("The zebra counts a zebra")
    assert "<unk>" not in out
    out, err = continued(unspool, trained, "Zβ", "--max-new-tokens", 9)
    assert err == "note: unknown to the run: 'Z', 'β'; the unknown token is read instead\n"
    assert "\ufffd" not in out


def test_characters_that_training_never_saw_are_counted(unspool, spawn, train, trained, tmp_path):
    (tmp_path / "q.txt").write_text("`the thread`")
    done = unspool("eval", trained, tmp_path / "q.txt")
    assert done.out.splitlines()[-1] == "unknown share 0.0909"  # the first is not predicted
    found = json.loads(unspool("eval", trained, tmp_path / "q.txt", "--json").out)
    assert found["unknown_share"] == pytest.approx(1 / 11)
    done = unspool("inspect", trained, tmp_path / "q.txt", "--json")
    assert (done.code, done.err) == (0, "note: 16.7% of the tokens are unknown to the run\n")
    verse = b"the thread goes out, the thread comes in\n" * 40
    said = train(verse + b"`/=\n" * 40, "--val-fraction", "0.1", steps=5)[1]
    assert "unknown: 0.0% of the training part, 66.7% of the held-out" in said
    run, _ = train(verse, "--unknown", "refuse", steps=5)
    for line in (("eval", run, tmp_path / "q.txt"), ("inspect", run, tmp_path / "q.txt"),
                 ("sample", run, "--prompt", "`")):  # fmt: skip
        done = unspool(*line)
        assert (done.code, done.out) == (2, "")
        assert "the vocabulary lacks: '`'" in done.err


def test_bytes_are_read_and_written_as_they_are(process, bytes_run):
    run = library.load(bytes_run)
    drawn = sample(LanguageStepper(run.model), np.array([10]), max_new_tokens=40, temperature=0.0)
    with process("sample", bytes_run, "--temperature", 0, "--max-new-tokens", 40, text=False) as p:
        assert p.communicate()[0] == run.vocab.bytes_of(drawn[0]) + b"\n"
    assert b"\xe9" in run.vocab.bytes_of(drawn[0])
    line = ("sample", bytes_run, "--prompt", b"caf\xe9".decode("utf-8", "surrogateescape"))
    with process(*line, "--max-new-tokens", 5, "--temperature", 0, text=False) as p:
        out, err = p.communicate()
    assert (p.returncode, err) == (0, b"")
    assert out.startswith(b"caf\xe9")
    assert len(out) == 4 + 5 + 1
    with process(*line, "--max-new-tokens", 5, "--temperature", 0, "--json", text=False) as p:
        record = json.loads(p.communicate()[0])
    assert record["text"] == out[4:-1].decode(errors="replace")
    assert "hex" not in record or bytes.fromhex(record["hex"]) == out[4:-1]


@pytest.mark.parametrize("kind", ["words", "bytes_run"])
def test_inspect_reads_the_tokens_that_eval_scores(unspool, kind, request):
    run = request.getfixturevalue(kind)
    scored = json.loads(unspool("eval", run, "--json").out)["tokens"]
    assert json.loads(unspool("inspect", run, "--json").out)["tokens"] == scored + 1


def test_byte_runs_read_any_file(unspool, bytes_run, tmp_path):
    (tmp_path / "any").write_bytes(bytes(range(256)) * 2)
    assert json.loads(unspool("eval", bytes_run, tmp_path / "any", "--json").out)["tokens"] == 511
    found = json.loads(unspool("inspect", bytes_run, tmp_path / "any", "--json").out)
    assert found["tokens"] == 512
