"""A text as each kind of run reads it: tokens, and the characters they stand for."""

from pathlib import Path

import numpy as np
import pytest

import unspool
from unspool.data import SeriesEncoder, TextEncoder
from unspool.data.pairs import Sentences
from unspool.data.vocabularies import build_vocabulary
from unspool.errors import ConfigError, DataError, RunError
from unspool.inspection import Trace
from unspool.tasks.reading import inspected_text, read_as

TEXT = "Don't stop — été!\n\nNow  stop.\n"


def run_of(kind, **parts):
    common = {
        "path": Path("r"),
        "config": {},
        "step": 0,
        "val_loss_nats": None,
        "val_metrics": {},
        "best_by": "loss",
    }
    return kind(**common, **parts)


def stood_for(reading):
    """The text of each token."""
    spans = reading.spans
    return [spans.text[a : b + 1] for a, b in zip(spans.first, spans.last, strict=True)]


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe"])
def test_a_language_model_reads_the_tokens_of_its_vocabulary(tokens):
    vocab = build_vocabulary(tokens, [TEXT * 3])
    reading = read_as(run_of(unspool.Run, model=None, vocab=vocab), TEXT)
    np.testing.assert_array_equal(reading.spans.inputs, vocab.encode(TEXT))
    pieces = stood_for(reading)
    if tokens == "byte":  # each byte of a character stands for it
        assert pieces == [c for c in TEXT for _ in c.encode()]
    elif tokens != "bpe":
        assert "".join(pieces) == TEXT
    for piece, token in zip(pieces, reading.spans.inputs, strict=True):
        if piece.isascii() and token != vocab.unknown_id:
            assert piece == vocab.token_text(token)


def test_unknown_words_keep_their_place():
    vocab = build_vocabulary("word", ["stop stop stop Now Now Now"])
    reading = read_as(run_of(unspool.Run, model=None, vocab=vocab), "Now halt stop")
    assert stood_for(reading) == ["Now", " halt", " stop"]
    assert reading.spans.inputs[1] == vocab.unknown_id
    assert reading.unknown_share == pytest.approx(1 / 3)


@pytest.mark.parametrize(("tokens", "affixes"), [("word", 0), ("word", 32), ("char", 0)])
def test_a_tagger_reads_the_words_of_its_encoder(tokens, affixes):
    encoder = TextEncoder.build([TEXT], tokens, affixes=affixes, max_length=2, min_count=None)
    model = unspool.Tagger.create(2, vocab_size=encoder.table_size, hidden_size=3)
    run = run_of(unspool.TaggerRun, model=model, encoder=encoder, labels=("a", "b"))
    reading = read_as(run, TEXT)
    if tokens == "char":
        assert "".join(stood_for(reading)) == TEXT
        return
    words = ["Do", "n't", "stop", "—", "été", "!", "Now", "stop", "."]
    assert stood_for(reading) == words  # all, though it was trained on two at most
    assert len(reading.spans.inputs) == len(words)
    assert len(Trace.record(model, reading.spans)) == len(words)


def test_a_translator_reads_sentences_with_single_spaces():
    sentences = Sentences.build([TEXT, "stop"], "char", None, None)
    run = run_of(unspool.TranslatorRun, model=None, source=sentences, target=sentences)
    assert read_as(run, TEXT).spans.text == " Don't stop — été!\n Now stop.\n"


def test_a_generator_needs_a_label():
    encoder = TextEncoder.build([TEXT], "char")
    model = unspool.Generator.create(2, encoder.table_size, cell="gru", hidden_size=3)
    run = run_of(unspool.GeneratorRun, model=model, encoder=encoder, labels=("a", "b"))
    reading = read_as(run, TEXT, "b")
    np.testing.assert_array_equal(reading.state[0].h[0], model.states[0].h[1])
    assert Trace.record(model, reading.spans, state=reading.state).layers[0]["h"].shape[1] == 3
    for label in (None, "c"):
        with pytest.raises(ConfigError, match="condition must be one of a, b"):
            read_as(run, TEXT, label)


def test_runs_without_text_are_named():
    encoder = SeriesEncoder(np.zeros(1), np.ones(1))
    run = run_of(unspool.ClassifierRun, model=None, encoder=encoder, labels=("a", "b"))
    with pytest.raises(RunError, match="reads no text"):
        read_as(run, TEXT)
    with pytest.raises(RunError, match="has not kept a held-out text"):
        inspected_text(run, None, 10)
    with pytest.raises(DataError, match="is empty"):
        read_as(run, "")


def test_only_the_first_characters_are_read(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    assert (
        inspected_text(
            run_of(unspool.Run, model=None, vocab=build_vocabulary("char", [TEXT])),
            str(tmp_path / "a.txt"),
            5,
        )
        == "Don't"
    )
