"""Texts as a network reads them: words, their affixes, characters."""

import numpy as np
import pytest

from unspool.data import TextEncoder, load_encoder, words_of
from unspool.errors import DataError, RunError

TEXTS = ["The film is n't good .", "the Film isn't good."] * 2


def test_texts_that_are_split_and_texts_that_are_not_have_the_same_words():
    assert words_of("It is n't \"good\", it's bad.") == [
        "It", "is", "n't", '"', "good", '",', "it", "'s", "bad", "."
    ]  # fmt: skip
    assert words_of("isn't won't it's") == ["is", "n't", "wo", "n't", "it", "'s"]
    encoder = TextEncoder.build(TEXTS)
    assert encoder.encode(TEXTS[0]).tolist() == encoder.encode(TEXTS[1]).tolist()


def test_unknown_words_have_affixes():
    encoder = TextEncoder.build(TEXTS, affixes=512)
    ids = encoder.encode("running sunning")
    assert ids.shape == (2, 9)
    assert (ids[:, 0] == 0).all()
    assert (ids[:, 1:] >= len(encoder.vocab)).all()
    assert ids.max() < encoder.table_size
    assert (ids[0, 4:] == ids[1, 4:]).all()  # the same suffixes and shape
    assert ids[0, 1] != ids[1, 1]
    assert (encoder.encode("UN")[0, 8] != encoder.encode("un")[0, 8]).all()


def test_words_may_come_split():
    encoder = TextEncoder.build([["a b", "c"], ["a b", "c"]])
    assert encoder.encode(["a b", "x"]).tolist() == [1, 0]


def test_unknown_characters_have_a_token():
    encoder = TextEncoder.build(["abc"], "char")
    assert encoder.encode("abz").tolist() == [0, 1, 3]


def test_texts_are_cut():
    assert len(TextEncoder.build(TEXTS, max_length=3).encode(TEXTS[0])) == 3
    assert len(TextEncoder.build(TEXTS, "char", max_length=3).encode(TEXTS[0])) == 3


@pytest.mark.parametrize("tokens", ["word", "char", "byte", "bpe"])
def test_encoders_come_back(tokens, tmp_path):
    encoder = TextEncoder.build(TEXTS, tokens, affixes=64, max_length=9)
    encoder.save(tmp_path)
    again = load_encoder(encoder.describe(), tmp_path)
    assert np.array_equal(again.encode("the unknown é"), encoder.encode("the unknown é"))
    with pytest.raises(RunError, match="not described"):
        load_encoder({}, tmp_path)


def test_a_character_vocabulary_must_have_what_it_replaces_with():
    from unspool.data import vocabulary_from_json

    with pytest.raises(DataError, match=r"U\+FFFD among chars"):
        vocabulary_from_json({"kind": "char", "chars": "ab", "unknown": True})
