"""Commands that read a run: sample, eval, info; and hello."""

import io
import json
import shutil
import sys

import jax
import numpy as np
import pytest
from tests.support import slow

from unspool import load
from unspool.cli.main import main
from unspool.data import Text


def sampled(done):
    assert (done.code, done.err) == (0, ""), done
    return done.out


def test_sample_is_what_the_library_samples(unspool, trained):
    expected = load(trained).sample(
        "The", max_new_tokens=70, temperature=0.7, top_k=9, top_p=0.9, seed=5
    )
    out = sampled(
        unspool(
            "sample", trained, "--prompt", "The", "--max-new-tokens", 70, "--temperature", 0.7,
            "--top-k", 9, "--top-p", 0.9, "--seed", 5,
        )
    )  # fmt: skip
    assert out == expected + "\n"
    assert len(out) == 3 + 70 + 1


def test_sample_defaults(unspool, trained):
    assert len(sampled(unspool("sample", trained))) == 501


def test_the_seed_decides(unspool, trained):
    outs = [sampled(unspool("sample", trained, "--seed", seed)) for seed in (1, 1, 2)]
    assert outs[0] == outs[1] != outs[2]


def test_temperature_zero_is_argmax(unspool, trained):
    line = ("sample", trained, "--max-new-tokens", 30, "--temperature")
    outs = [sampled(unspool(*line, t, "--seed", s)) for t, s in ((0, 1), (0, 2), ("1e-50", 3))]
    assert outs[0] == outs[1] == outs[2]
    assert len(outs[0].strip()) > 0


def test_sample_as_json(unspool, trained):
    line = ("sample", trained, "--prompt", "The", "--seed", 3, "--max-new-tokens", 40)
    (record,) = map(json.loads, sampled(unspool(*line, "--json")).splitlines())
    assert record == {
        "prompt": "The", "text": record["text"], "seed": 3, "number": 0, "run": str(trained),
    }  # fmt: skip
    assert "The" + record["text"] + "\n" == sampled(unspool(*line))


def test_count(unspool, trained):
    line = ("sample", trained, "--prompt", "The", "--max-new-tokens", 40, "--count", 3)
    records = [json.loads(line) for line in sampled(unspool(*line, "--json")).splitlines()]
    texts = [record["text"] for record in records]
    assert [record["number"] for record in records] == [0, 1, 2]
    assert len(set(texts)) == 3
    plain = sampled(unspool(*line))
    assert plain == "".join(f"--- {n} of 3\nThe{t}\n\n" for n, t in enumerate(texts, 1))
    # The first text does not depend on how many others are written.
    assert sampled(unspool(*line[:-2])) == "The" + texts[0] + "\n"


def test_stop(unspool, trained):
    line = ("sample", trained, "--prompt", "The", "--temperature", 1.0)
    whole = sampled(unspool(*line))[:-1]
    stop = whole[100:103]
    stopped = sampled(unspool(*line, "--stop", stop))
    assert stopped == whole[: whole.index(stop, 3)] + "\n"


def test_a_sample_is_streamed(trained, monkeypatch):
    class Terminal(io.StringIO):
        shown = ()

        def flush(self):
            self.shown = (*self.shown, len(self.getvalue()))

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "argv", f"unspool sample {trained} --max-new-tokens 96".split())
    with pytest.raises(SystemExit):
        main()
    # A first block at once; the kernel's later ones may be larger.
    assert {32, 96} <= set(terminal.shown)


def test_a_terminal_without_unicode(spawn, trained):
    done = spawn("sample", trained, "--temperature", "2", env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.err) == (0, "")
    assert len(done.out) == 501
    assert "?" in done.out


@pytest.mark.parametrize(
    ("command", "lines"),
    [("sample --max-new-tokens 20000", 1), *slow(("sample --count 99", 1), ("eval", 0))],
)
def test_into_head(process, trained, command, lines):
    name, *options = command.split()
    with process(name, trained, *options) as writing:
        for _ in range(lines):
            writing.stdout.readline()
        writing.stdout.close()
        err = writing.stderr.read()
    assert (writing.returncode, err) == (0, "")


def exact_nats(run, tokens):
    """-ln p of every token but the first, in one pass over the whole text."""
    inputs = np.asarray(tokens[:-1], np.int32)[None]
    logits, _ = run.model(inputs, run.model.initial_state(1))
    logits = np.asarray(logits[0], np.float64)
    targets = np.asarray(tokens[1:], np.int64)
    picked = logits[np.arange(len(targets)), targets]
    return np.log(np.exp(logits).sum(-1)) - picked


def test_eval_is_the_loss_over_the_whole_held_out_part(unspool, trained):
    run, text = load(trained), Text.open(trained / "data")
    nats = exact_nats(run, text.val)
    held_out = text.vocab.decode(text.val)[1:]
    found = json.loads(sampled(unspool("eval", trained, "--json")))
    assert found == {
        "loss_nats": pytest.approx(nats.mean(), rel=1e-5),
        "bits_per_char": pytest.approx(nats.sum() / np.log(2) / len(held_out), rel=1e-5),
        "bits_per_byte": pytest.approx(nats.sum() / np.log(2) / len(held_out.encode()), rel=1e-5),
        "tokens": len(held_out),
    }
    assert found["bits_per_byte"] < found["bits_per_char"]
    assert found["loss_nats"] == pytest.approx(run.val_loss_nats)


def test_eval_in_windows(unspool, trained):
    run, text = load(trained), Text.open(trained / "data")
    starts = range(0, len(text.val) - 1, 50)
    nats = np.concatenate([exact_nats(run, text.val[start : start + 51]) for start in starts])
    found = json.loads(sampled(unspool("eval", trained, "--window", 50, "--json")))
    assert found["loss_nats"] == pytest.approx(nats.mean(), rel=1e-5)
    assert found["loss_nats"] != pytest.approx(run.val_loss_nats, rel=3e-5)
    done = unspool("eval", trained, "--window", 0)
    assert (done.code, done.err) == (2, "unspool: --window must be at least 1, got 0\n")


def test_eval_of_another_text(unspool, trained, tmp_path):
    (tmp_path / "other.txt").write_text("in the wheel, in the thread" * 9)
    run = load(trained)
    nats = exact_nats(run, run.vocab.encode((tmp_path / "other.txt").read_text()))
    found = json.loads(sampled(unspool("eval", trained, tmp_path / "other.txt", "--json")))
    assert found["loss_nats"] == pytest.approx(nats.mean(), rel=1e-5)
    assert found["tokens"] == 27 * 9 - 1
    assert "notes" not in found
    (tmp_path / "same.txt").write_text(run.vocab.decode(Text.open(trained / "data").train[:150]))
    shown = sampled(unspool("eval", trained, tmp_path / "same.txt")).splitlines()
    assert shown[-1] == (
        "note: 2 of 2 passages of 64 tokens of the text are in the training part too"
    )


def test_eval_in_words(unspool, trained):
    found = json.loads(sampled(unspool("eval", trained, "--json")))
    assert sampled(unspool("eval", trained)).splitlines() == [
        f"{found['loss_nats']:.4f} nats per token over 141 tokens",
        f"{found['bits_per_char']:.4f} bits per character, {found['bits_per_byte']:.4f} per byte",
    ]


def test_info_of_the_machine(unspool):
    facts = json.loads(sampled(unspool("info", "--json")))
    assert facts["libraries"]["jax"] == jax.__version__
    assert len(facts["devices"]) == jax.device_count()
    assert {"rnn", "gru", "lstm", "lstm, layer norm"} <= facts["backends"].keys()
    plain = sampled(unspool("info"))
    assert all(key in plain for key in facts)


def test_info_of_a_run(unspool, trained):
    facts = json.loads(sampled(unspool("info", trained, "--json")))
    run = load(trained)
    assert facts["best_val_loss_nats"] == run.val_loss_nats
    assert facts["step"] == run.step
    assert facts["training"]["max_steps"] == 12
    assert facts["model"]["hidden_size"] == 8
    assert facts["parameters"] == sum(leaf.size for leaf in jax.tree.leaves(run.model))
    plain = sampled(unspool("info", trained))
    assert f"best_val_loss_nats: {run.val_loss_nats}" in plain


def test_a_run_may_move(unspool, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "moved")
    assert sampled(unspool("sample", tmp_path / "moved")) == sampled(unspool("sample", trained))


def test_hello(unspool):
    out = sampled(unspool("hello"))
    assert 'From "h" it writes: hello' in out
    for t, (letter, target) in enumerate(zip("hell", "ello", strict=True), start=1):
        assert f"t = {t}   input {letter!r}, target {target!r}" in out
    for row, count in (("hidden h_t", 3), ("scores y_t", 4), ("probabilities", 4)):
        rows = [line.split()[-count:] for line in out.splitlines() if line.strip().startswith(row)]
        assert len(rows) == 4
        assert all(float(number) is not None for numbers in rows for number in numbers)
