"""Words in all scripts, and words that a vocabulary lacks."""

import json
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.data import Text, TextEncoder, Vocabulary, build_vocabulary, words_of
from unspool.data.encoders import _hashes, _shape
from unspool.data.subword import WordVocabulary, _splitting
from unspool.data.words import spaced_splitter, splitter, word_starts
from unspool.errors import DataError
from unspool.inspection import annotate
from unspool.tasks.caption.metrics import caption_words

PHRASES = {
    "hindi": "सीता हिन्दी पढ़ती है",
    "tamil": "தமிழ் மொழி பேசு",
    "thai": "ภาษาไทย อยู่ ที่นี่",
    "arabic": "مَرْحَبًا بِكُمْ",
    "hebrew": "שָׁלוֹם לְךָ",
    "latin": unicodedata.normalize("NFD", "café déjà naïve"),
    "persian": "می\u200cخواهم بروم",
}
# As they were before marks belonged to words.
OLD_SPLIT = re.compile(r"n't\b|'\w+|\w+?(?=n't\b)|\w+|[^\w\s]+")
OLD_SPACED = re.compile(r" ?<unk>| ?\w+| ?[^\s\w]+|\n|[^\S\n]+(?!\S)|[^\S\n]+")


@pytest.mark.parametrize("name", PHRASES)
def test_marks_and_joiners_are_inside_words(name):
    phrase = PHRASES[name]
    words = phrase.split()
    assert words_of(phrase) == words
    assert "".join(spaced_splitter().findall(phrase)) == phrase
    assert [word.strip() for word in spaced_splitter().findall(phrase)] == words
    assert caption_words(phrase) == [word.lower() for word in words]
    starts = annotate(phrase)["word start"].values
    assert [i for i, start in enumerate(starts) if start] == [
        m.start() for m in re.finditer(r"\S+", phrase)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I ❤️ it 👩‍👩‍👧!", ["I", "❤️", "it", "👩‍👩‍👧!"]),  # joiners and marks of signs
        ("1️⃣ a\u20dd", ["1️⃣", "a\u20dd"]),
        ("so\u00adcial \u200fשלום\u200f.", ["so\u00adcial", "\u200f", "שלום\u200f", "."]),
        ("ភាសា\u200bខ្មែរ", ["ភាសា", "ខ្មែរ"]),  # a zero width space parts words
        ("\u0301a", ["\u0301", "a"]),  # a mark behind nothing
        ("snake_case ①② Ⅷ", ["snake_case", "①②", "Ⅷ"]),
        ("don't 'tis", ["do", "n't", "'tis"]),
        ("他说：不。", ["他说", "：", "不", "。"]),
    ],
)
def test_what_a_word_is(text, expected):
    assert words_of(text) == expected
    assert "".join(spaced_splitter().findall(text)) == text


OLD_WORD = re.compile(r"\w+(?:['’]\w+)*")  # as `inspect` marked them


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_split_as_before(text):
    assert list(word_starts(text)) == [match.start() for match in OLD_WORD.finditer(text)]
    assert splitter().findall(text) == OLD_SPLIT.findall(text)
    assert spaced_splitter().findall(text) == OLD_SPACED.findall(text)
    assert splitter(1).findall(text) == OLD_SPLIT.findall(text)


@given(st.text(st.characters(max_codepoint=127) | st.sampled_from("äßéñÆжя日本かな中ง")))
def test_bpe_splits_texts_without_marks_as_before(text):
    old, new = (_splitting(rule).pre_tokenize_str(text) for rule in (1, 2))
    assert new == old


@given(st.text(st.sampled_from("aé\u0301\u200d\u00ad❤️👩हिन्द1 \n'")))
def test_bpe_gives_back_any_text(text):
    vocab = build_vocabulary("bpe", [text * 3], vocab_size=300)
    assert vocab.decode(vocab.encode(text)) == text


@given(st.text())
def test_the_tokens_of_any_text_join_up_to_it(text):
    assert "".join(spaced_splitter().findall(text)) == text


@pytest.mark.parametrize("name", ["hindi", "latin"])
def test_bpe_merges_across_marks(name):
    words = [word for word in PHRASES[name].split() if any(map(unicodedata.combining, word))]
    text = f"{' '.join(words)}\n" * 300
    vocab = build_vocabulary("bpe", [text], vocab_size=1000)
    assert len(vocab.encode(text)) <= 300 * (len(words) + 1)
    assert vocab.decode(vocab.encode(text)) == text


def test_a_vocabulary_of_the_old_rule_still_splits_by_it():
    old = WordVocabulary.from_json({"kind": "word", "words": [" <unk>", " ह", "ि"]})
    assert old.to_json() == {"kind": "word", "words": [" <unk>", " ह", "ि"]}
    assert len(old.encode(" हि")) == 2
    assert len(build_vocabulary("word", [" हि हि"]).encode(" हि")) == 1
    bpe = build_vocabulary("bpe", ["हिन्दी\n" * 9], vocab_size=300).to_json()
    value = json.loads(json.dumps(bpe))
    value["pre_tokenizer"] = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True,
    }  # fmt: skip
    again = type(build_vocabulary("bpe", ["a"])).from_json(value)
    assert again.decode(again.encode("हिन्दी")) == "हिन्दी"


def test_a_known_word_is_known_wherever_it_stands():
    vocab = build_vocabulary("word", ["the stones lie. the stones fly. the stones\n"], min_count=2)
    stones = vocab.encode(" stones")[0]
    assert vocab.encode("stones")[0] == stones
    assert vocab.encode('"stones')[-1] == stones
    assert vocab.encode("\nstones")[-1] == stones
    assert vocab.encode("pebbles")[0] == vocab.unknown_id == 0
    assert list(vocab.unknown_in(["stones and the pebbles"])) == [" and", " pebbles"]


def test_what_it_costs_to_spell_a_word():
    vocab = build_vocabulary("word", ["ab ab ab b"], min_count=2)
    # ab: 3 times with its end (twice with a space before it), b once: counts a 3, b 4, " " 3, "" 4
    assert vocab.letters == {"": 4, " ": 3, "a": 3, "b": 4}
    total = 14 + 4 + 1
    assert vocab.spelling_nats("ba") == pytest.approx(np.log(total**3 / (5 * 4 * 5)))
    assert vocab.spelling_nats("z") == pytest.approx(np.log(total * 0x110000) + np.log(total / 5))
    chances = [(n + 1) / total for n in vocab.letters.values()]
    assert sum(chances) + 1 / total == pytest.approx(1)


@pytest.fixture
def rare(tmp_path):
    path = tmp_path / "t.txt"
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(3000)]
    path.write_text(" ".join(words) + "\n")
    return path


def test_a_text_of_unknown_words_costs_what_spelling_it_costs(rare):
    """Random words of 8 letters, 6 long: 18 bits and a space, 18 / 7 bits a character."""
    text = Text.read(rare, tokens="word")
    assert text.val_size.unknown >= len(text.val) - 3
    bits = text.val_size.spelling_nats / np.log(2) / text.val_size.chars
    assert 18 / 7 < bits < 4  # letters, the space and the end are drawn alike


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_the_first_token_counts_neither_way(tmp_path, tokens):
    (tmp_path / "t.txt").write_text("the and the and the and\n" * 9)
    (tmp_path / "q.txt").write_text("Quick the\n")
    vocab = Text.read(tmp_path / "t.txt", tokens=tokens).vocab
    size = Text.read(tmp_path / "q.txt", vocab=vocab, val_fraction=0).train_size
    assert size[:2] == (10, 10)
    assert size.first_chars == len("Quick" if tokens == "word" else "Q")
    assert size.unknown == (0 if tokens == "word" else len("uick"))


def test_characters_that_training_lacks_have_a_token():
    vocab = build_vocabulary("char", ["abc"], unknown=True)
    ids, begin, end = vocab.spans("a`b")
    assert vocab.decode(ids) == "a\ufffdb"
    assert (begin.tolist(), end.tolist()) == ([0, 1, 2], [0, 1, 2])
    assert list(vocab.unknown_in(["a`", "b/"])) == ["`", "/"]
    assert vocab.unknown(["a`b/"]) == (2, pytest.approx(2 * np.log(0x110000)))


def test_bytes_of_an_argument_are_bytes():
    vocab: Vocabulary = build_vocabulary("byte", [])
    text = b"caf\xe9 \xc3\xa9".decode("utf-8", "surrogateescape")
    ids, begin, end = vocab.spans(text)
    assert bytes(ids.tolist()) == b"caf\xe9 \xc3\xa9"
    assert begin.tolist() == end.tolist() == [0, 1, 2, 3, 4, 5, 5]


def test_marks_have_no_shape():
    assert _shape("हिन्दी", 2) == _shape("abc", 2) == "shape x"
    assert _shape("E\u0301te\u0301-9", 2) == _shape("Été-9", 2) == "shape Xx-9"
    assert _shape("हिन्दी", 1) == "shape xिx्xी"  # as in old runs
    assert _hashes("Bonn", 1) == _hashes("Bonn", 2)


def test_words_of_an_encoder_follow_the_rule_of_its_vocabulary():
    encoder = TextEncoder.build(["हिन्दी पानी", "हिन्दी पानी"])
    assert len(encoder.encode("हिन्दी पानी")) == 2
    assert (encoder.encode("हिन्दी पानी") > 0).all()


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "word", "words": [" <unk>"], "rule": 3},
        {"kind": "word", "words": [" <unk>"], "rule": True},
        {"kind": "word", "words": [" <unk>"], "rule": 2, "letters": [1]},
        {"kind": "word", "words": [" <unk>"], "rule": 2, "letters": {"a": -1}},
        {"kind": "word", "words": [" <unk>"], "rule": 2, "letters": {"a": 10**30}},
    ],
)
def test_hostile_vocabularies(value):
    with pytest.raises(DataError):
        WordVocabulary.from_json(value)
