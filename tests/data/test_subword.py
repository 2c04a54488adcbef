"""Words and BPE: what is a token, and that lines make streaming exact."""

import json
import os
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from unspool.data import build_vocabulary, load_vocabulary
from unspool.data.subword import lines
from unspool.errors import RunError

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def words(text):
    vocab = build_vocabulary("word", [text], min_count=1)
    return [vocab.token_text(i) for i in vocab.encode(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two", ["one", " two"]),
        ("a\n\nb", ["a", "\n", "\n", "b"]),
        ("end  \nx", ["end", "  ", "\n", "x"]),
        ("    return", ["   ", " return"]),
        ("\tif (x)", ["\t", "if", " (", "x", ")"]),
        ("don't, no", ["don", "'", "t", ",", " no"]),
        ("x\r\ny", ["x", "\r", "\n", "y"]),
        ("naïve été", ["naïve", " été"]),
    ],
)
def test_what_a_word_is(text, expected):
    assert words(text) == expected


def test_words_are_ordered_by_frequency_then_text():
    vocab = build_vocabulary("word", ["b a c b a b d\n"], min_count=1)
    assert [vocab.token_text(i) for i in range(len(vocab))] == [
        " <unk>", " a", " b", "\n", " c", " d", "b",
    ]  # fmt: skip


def test_rare_words_become_unknown():
    vocab = build_vocabulary("word", ["up up up down down\nup left\n"])
    ids = vocab.encode("up up left\n")
    assert vocab.unknown_id == 0
    assert (ids == 0).tolist() == [False, False, True, False]
    assert vocab.decode(ids) == "up up <unk>\n"


def test_unknown_in_the_text_is_the_unknown_token():
    vocab = build_vocabulary("word", ["a <unk> b <unk>\n" * 5])
    assert vocab.encode("a <unk>").tolist() == [vocab.encode("a")[0], 0]
    assert vocab.token_bytes.count(b" <unk>") == 1


def test_vocab_size_caps_the_words():
    vocab = build_vocabulary("word", ["a b b c c c\n" * 9], vocab_size=3)
    assert [vocab.token_text(i) for i in range(3)] == [" <unk>", " c", " b"]
    assert len(vocab) == 3


def test_bpe_reaches_its_size_and_shortens_the_text():
    text = "the cat sat on the mat; the rat sat on the cat\n" * 20
    vocab = build_vocabulary("bpe", [text], vocab_size=266)
    assert len(vocab) == 266
    assert len(vocab.encode(text)) < len(text) / 2
    assert vocab.unknown_id is None


@given(text=any_text)
def test_bpe_represents_what_it_never_saw(text):
    vocab = build_vocabulary("bpe", ["plain ascii only\n"])
    assert vocab.decode(vocab.encode(text)) == text


def test_min_count_limits_bpe():
    sizes = [len(build_vocabulary("bpe", ["abc abc xyz\n"], min_count=n)) for n in (1, 2, 3)]
    assert sizes[0] > sizes[1] > sizes[2] == 256


def test_tokenizer_file_is_read_by_the_library(tmp_path):
    vocab = build_vocabulary("bpe", ["the cat sat on the mat\n" * 9])
    vocab.save(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode("the mat, été").ids == vocab.encode("the mat, été").tolist()


def edit(value, *path, to):
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = to


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("pre_tokenizer", "type"), "Whitespace", "pre_tokenizer must be ByteLevel"),
        (("pre_tokenizer",), None, "pre_tokenizer must be ByteLevel"),
        (("pre_tokenizer", "pretokenizers", 1, "add_prefix_space"), True, "must be ByteLevel"),
        (("model", "dropout"), 0.5, "dropout must be None, got 0.5"),
        (("model", "vocab", "a"), "x", "ids must be whole numbers"),
        (("normalizer",), {"type": "Lowercase"}, "must have no .*normalizer"),
        (("model", "vocab", "a"), 999, "ids must be 0, 1, 2"),
        (("model", "vocab"), {"a": 0}, "tokens must be made of the 256 byte letters"),
        (("model", "merges"), [["q", "♥"]], "merges must be two tokens"),
    ],
)
def test_edited_tokenizer_is_refused(path, to, message, tmp_path):
    build_vocabulary("bpe", ["abc\n"], vocab_size=256).save(tmp_path)
    file = tmp_path / "tokenizer.json"
    value = json.loads(file.read_text())
    edit(value, *path, to=to)
    file.write_text(json.dumps(value))
    with pytest.raises(RunError, match=rf"tokenizer\.json is damaged: .*{message}") as error:
        load_vocabulary(tmp_path)
    assert "\n" not in str(error.value)


def test_truncated_tokenizer_is_refused(tmp_path):
    build_vocabulary("bpe", ["abc\n"]).save(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(RunError, match=r"tokenizer\.json is damaged or not readable"):
        load_vocabulary(tmp_path)


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 131_072, 200_001])
@pytest.mark.parametrize("block", [1_000, 65_536, 10**6])
def test_long_lines_are_cut_at_the_same_place(length, block):
    text = "x" * length + "\ny" + "z" * length
    pieces = [text[i : i + block] for i in range(0, len(text), block)]
    found = [line for group in lines(pieces) for line in group]
    assert "".join(found) == text
    assert max(map(len, found)) <= 65_536
    assert found == [line for group in lines([text]) for line in group]


@pytest.mark.parametrize("kind", ["word", "bpe"])
@pytest.mark.parametrize("block", [1, 7, 1_000, 100_003])
def test_streaming_real_text_equals_the_whole(kind, block):
    if "UNSPOOL_DATA" not in os.environ:
        pytest.skip("set UNSPOOL_DATA to the directory of the real texts")
    text = (Path(os.environ["UNSPOOL_DATA"]) / "stacks-project.tex").read_text()[:200_000]
    vocab = build_vocabulary(kind, [text])
    pieces = [text[i : i + block] for i in range(0, len(text), block)]
    ids = [i for part in vocab.encode_pieces(pieces) for i in part.tolist()]
    assert ids == vocab.encode(text).tolist()
    assert vocab.kind == "word" or vocab.decode(ids) == text
