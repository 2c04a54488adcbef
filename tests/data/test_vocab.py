"""The contract that all four kinds keep, and the kinds char and byte."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.data import VOCABULARIES, build_vocabulary, load_vocabulary, vocabulary_from_json
from unspool.errors import ConfigError, DataError, RunError, UnknownTokenError

SAMPLE = "To be, or not to be:\n\tthat is <unk> question — été 🧵\r\n\n  The end.  \n" * 3

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
kinds = pytest.mark.parametrize("kind", VOCABULARIES)


def build(kind, text):
    options = {"min_count": 1} if kind in ("word", "bpe") else {}
    return build_vocabulary(kind, [text], **options)


@kinds
@given(text=any_text)
def test_decode_undoes_encode(kind, text):
    vocab = build(kind, text)
    ids = vocab.encode(text)
    assert ids.dtype == np.int32
    assert vocab.decode(ids) == text
    assert vocab.bytes_of(ids) == text.encode()


@kinds
@given(text=any_text, cuts=st.lists(st.integers(0, 200)))
def test_pieces_encode_like_the_whole(kind, text, cuts):
    vocab = build(kind, SAMPLE + text)
    ends = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(ends)]
    ids = [i for part in vocab.encode_pieces(pieces) for i in part]
    assert ids == vocab.encode(text).tolist()


@kinds
@given(text=any_text)
def test_stream_decoder_gives_whole_characters(kind, text):
    vocab = build(kind, text)
    decoder = vocab.decoder()
    pieces = [decoder.push([token]) for token in vocab.encode(text)]
    assert "".join(pieces) + decoder.finish() == text


@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_stream_decoder_replaces_an_unfinished_character(kind):
    vocab = build(kind, "")
    decoder = vocab.decoder()
    first, *rest = vocab.encode("é")
    assert decoder.push([first]) == ""
    assert rest
    assert decoder.finish() == "�"


@kinds
@given(text=any_text)
def test_counts_of_chars_and_bytes(kind, text):
    vocab = build(kind, text)
    ids = vocab.encode(text)
    assert vocab.n_chars(ids) == len(text)
    assert vocab.n_bytes(ids) == len(text.encode())


def test_counts_go_on_after_the_first_block(monkeypatch):
    monkeypatch.setattr("unspool.data.vocab._BLOCK_TOKENS", 3)
    vocab = build("byte", "")
    assert vocab.n_chars(vocab.encode("aéiöu")) == 5


@kinds
def test_saved_vocabulary_is_the_same(kind, tmp_path):
    vocab = build(kind, SAMPLE)
    vocab.save(tmp_path)
    loaded = load_vocabulary(tmp_path)
    assert loaded.kind == kind
    assert loaded.unknown_id == vocab.unknown_id
    assert loaded.fingerprint() == vocab.fingerprint()
    assert loaded.token_bytes == vocab.token_bytes
    assert loaded.encode(SAMPLE).tolist() == vocab.encode(SAMPLE).tolist()


@kinds
@given(text=any_text)
def test_json_round_trip(kind, text):
    vocab = build(kind, text)
    value = json.loads(json.dumps(vocab.to_json()))
    assert vocabulary_from_json(value).token_bytes == vocab.token_bytes


def test_saving_another_kind_replaces_the_file(tmp_path):
    build("bpe", SAMPLE).save(tmp_path)
    build("char", SAMPLE).save(tmp_path)
    assert load_vocabulary(tmp_path).kind == "char"
    build("bpe", SAMPLE).save(tmp_path)
    assert load_vocabulary(tmp_path).kind == "bpe"


@kinds
def test_building_is_repeatable(kind):
    assert build(kind, SAMPLE).fingerprint() == build(kind, SAMPLE).fingerprint()


def test_fingerprints_differ():
    prints = {
        build(kind, text).fingerprint() for kind in VOCABULARIES for text in (SAMPLE, "abc abc abc")
    }
    assert len(prints) == 7  # the byte vocabulary is always the same


@kinds
def test_lone_surrogates_are_refused(kind):
    vocab = build(kind, SAMPLE)
    with pytest.raises(DataError, match=r"lone surrogate '\\ud800' at character 3"):
        vocab.encode("To \ud800")


@kinds
@pytest.mark.parametrize("bad", [-1, 10**6])
def test_ids_outside_are_refused(kind, bad):
    with pytest.raises(DataError, match=f"token ids must be from 0 to .*, got {bad}"):
        build(kind, SAMPLE).decode([0, bad])


@kinds
def test_decode_takes_lists_arrays_and_nothing(kind):
    vocab = build(kind, SAMPLE)
    assert vocab.decode([]) == ""
    assert vocab.decode(np.array([1, 2], np.uint8)) == vocab.decode([1, 2])


def test_bytes_that_are_not_utf8_are_replaced():
    assert build("byte", "").decode([0x61, 0xFF, 0x62]) == "a\ufffdb"


@kinds
def test_fingerprint_does_not_depend_on_the_order_of_keys(kind):
    vocab = build(kind, SAMPLE)
    reordered = dict(reversed(vocab.to_json().items()))
    assert vocabulary_from_json(reordered).fingerprint() == vocab.fingerprint()


def test_characters_are_sorted_code_points():
    vocab = build("char", "hello")
    assert [vocab.token_text(i) for i in range(len(vocab))] == ["e", "h", "l", "o"]
    assert vocab.encode("hello").tolist() == [1, 0, 2, 2, 3]
    assert vocab.unknown_id is None


def test_unseen_characters_are_named():
    with pytest.raises(UnknownTokenError, match=r"lacks: '\\n', 'é'; remove them"):
        build("char", "abc").encode("abé\nc\n")


def test_many_unseen_characters_are_counted():
    with pytest.raises(UnknownTokenError, match=r"'A', .*'J' and 16 more; ") as error:
        build("char", "abc").encode("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert "'K'" not in str(error.value)


def test_bytes_are_shown_even_where_they_are_not_utf8():
    vocab = build("byte", "")
    assert len(vocab) == 256
    assert vocab.token_text(0xE2) == r"\xe2"
    assert vocab.encode("é").tolist() == [0xC3, 0xA9]
    assert [i.tolist() for i in vocab.encode_pieces([b"\xff\0"])] == [[255, 0]]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("letters", {}, "tokens must be one of char, byte, word, bpe, got 'letters'"),
        ("char", {"vocab_size": 9}, "vocab_size applies to tokens 'word' and 'bpe', not 'char'"),
        ("byte", {"min_count": 9}, "min_count applies to"),
        ("word", {"vocab_size": 1}, "vocab_size must be at least 2 for word tokens, got 1"),
        ("bpe", {"vocab_size": 255}, "vocab_size must be at least 256 for bpe tokens, got 255"),
        ("word", {"min_count": 0}, "min_count must be at least 1, got 0"),
    ],
)
def test_bad_options(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        build_vocabulary(kind, [SAMPLE], **options)


def test_missing_vocabulary(tmp_path):
    with pytest.raises(RunError, match=r"has no vocabulary: neither vocab.json nor tokenizer.json"):
        load_vocabulary(tmp_path)


DAMAGED = [
    '{"kind": "ch',
    "[1, 2]",
    '{"kind": "verse"}',
    '{"kind": ["char"]}',
    '{"kind": "char"}',
    '{"kind": "char", "chars": "ba"}',
    '{"kind": "char", "chars": "aab"}',
    '{"kind": "char", "chars": "\\ud800"}',
    '{"kind": "word", "words": "abc"}',
    '{"kind": "word", "words": [1]}',
    '{"kind": "word", "words": ["a", "b"]}',
    '{"kind": "word", "words": [" <unk>", "a", "a"]}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_vocabulary(content, tmp_path):
    (tmp_path / "vocab.json").write_text(content)
    with pytest.raises(RunError, match=r"vocab\.json is damaged") as error:
        load_vocabulary(tmp_path)
    assert "\n" not in str(error.value)
