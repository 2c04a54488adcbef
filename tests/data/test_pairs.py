"""Sentence pairs: what is read, what is left out and said, and what comes back."""

import numpy as np
import pytest

from unspool import ConfigError, DataError, RunError
from unspool.data import PairData, Sentences, read_parallel

LINES = {
    "the thread goes out .": "der faden geht hinaus .",
    "the  wheel\tspins .": "das rad dreht sich .",
    "in and out": "hinein und hinaus",
    "the thread": "der faden",
}
ENGLISH = ["and " * i + line for i in range(5) for line in LINES]
GERMAN = ["und " * i + line for i in range(5) for line in LINES.values()]


@pytest.fixture
def files(tmp_path):
    def write(**texts):
        for name, lines in texts.items():
            (tmp_path / name).write_bytes("".join(f"{line}\n" for line in lines).encode())
        return [tmp_path / name for name in texts]

    return write


def test_lines_belong_together(files, tmp_path):
    lines = read_parallel(*files(en=ENGLISH, de=GERMAN))
    assert (lines.source, lines.target) == (ENGLISH, GERMAN)
    assert lines.where[1] == f"{tmp_path / 'en'} line 2"
    (table,) = files(both=map("\t".join, zip(ENGLISH[2:4], GERMAN[2:4], strict=True)))
    assert read_parallel(table)[:2] == (ENGLISH[2:4], GERMAN[2:4])


def test_line_ends_of_every_system(tmp_path):
    (tmp_path / "en").write_bytes(b"\xef\xbb\xbfa b\r\nc\r\n")
    (tmp_path / "de").write_bytes("ä b\nc".encode())
    assert read_parallel(tmp_path / "en", tmp_path / "de")[:2] == (["a b", "c"], ["ä b", "c"])


def test_files_of_unequal_length_are_refused_with_the_line(files, tmp_path):
    with pytest.raises(DataError) as error:
        read_parallel(*files(en=["a", "b"], de=["a", "b", "c"]))
    en, de = tmp_path / "en", tmp_path / "de"
    assert str(error.value) == f"{en} has 2 lines and {de} 3: line 3 of {de} has no partner"


def test_a_table_needs_two_columns(files):
    (table,) = files(table=["a\tb", "c"])
    with pytest.raises(DataError, match=r"table line 2: must be SOURCE<TAB>TARGET, got 1 columns"):
        read_parallel(table)


@pytest.mark.parametrize("tokens", ["bpe", "word", "char"])
@pytest.mark.parametrize("shared", [True, False])
def test_sentences_come_back(files, tokens, shared):
    sizes = {} if tokens == "char" else {"min_count": 1}
    data = PairData.read(*files(en=ENGLISH, de=GERMAN), tokens=tokens, shared=shared, **sizes)
    spaced = [" ".join(line.split()) for line in ENGLISH]
    for side, texts in ((data.source, spaced), (data.target, GERMAN)):
        for text in texts:
            ids = side.encode(text)
            assert ids[-1] == side.end
            assert side.end not in ids[:-1]
            assert side.decode(ids[:-1]) == text
    assert (data.source.vocab is data.target.vocab) == shared
    assert len(data.val.lengths) == 1
    assert len(data.train.lengths) == 19


def test_a_word_is_one_token_wherever_it_stands(files):
    data = PairData.read(*files(en=ENGLISH, de=GERMAN), tokens="word", min_count=1)
    assert (
        data.source.encode("thread the")[::-1][1:].tolist()
        == data.source.encode("the thread")[:-1].tolist()
    )
    assert data.source.tokens(data.source.encode("the thread")) == ["the", "thread", "END"]


def test_bytes_stand_for_characters_never_seen(files):
    data = PairData.read(*files(en=ENGLISH, de=GERMAN), tokens="bpe")
    text = "the 線 of été ✓"
    assert data.source.decode(data.source.encode(text)[:-1]) == text
    words = PairData.read(*files(en=ENGLISH, de=GERMAN), tokens="word", min_count=1)
    assert words.source.decode(words.source.encode("the 線")[:-1]) == "the <unk>"


def test_what_is_left_out_is_counted_and_named(files, tmp_path):
    english = [*ENGLISH, "", "long " * 30, "  "]
    german = [*GERMAN, "leer", "kurz", ""]
    data = PairData.read(
        *files(en=english, de=german), val_source=files(ven=["the x", "out"])[0],
        val_target=files(vde=["der x", ""])[0], tokens="word", min_count=1, max_length=20,
    )  # fmt: skip
    assert len(data.train.lengths) == 20
    assert len(data.val.lengths) == 1
    en = tmp_path / "en"
    assert data.notes == (
        "20 sentence pairs to train on, 1 held out",
        f"2 pairs left out: a side is empty ({en} line 21, {en} line 23)",
        f"1 pairs left out: a side is empty ({tmp_path / 'ven'} line 2)",
        f"1 pairs left out: more than 20 tokens (max_length) ({en} line 22)",
        f"vocabulary: {len(data.source.vocab) - 1} tokens",
        "held-out tokens unknown, source and target: 1 of 3, 1 of 3",
    )


def test_held_out_pairs_are_never_too_long(files):
    data = PairData.read(
        *files(en=ENGLISH, de=GERMAN), val_source=files(ven=["out " * 50])[0],
        val_target=files(vde=["hinaus " * 50])[0], max_length=20,
    )  # fmt: skip
    assert data.val.lengths.tolist() == [51]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 2}, "every sentence pair has more than 2 tokens: raise max_length"),
        (
            {"tokens": "word", "min_count": 99},
            "too few for a vocabulary: give more or lower min_count",
        ),
    ],
)
def test_data_that_cannot_be_used(files, options, message):
    with pytest.raises(DataError, match=message):
        PairData.read(*files(en=ENGLISH, de=GERMAN), **options)


def test_nothing_but_empty_lines(files):
    with pytest.raises(DataError, match="no sentence pair with words on both sides"):
        PairData.read(*files(en=["", "a"], de=["b", ""]))
    with pytest.raises(ConfigError, match="val_target needs val_source"):
        PairData.read(*files(en=ENGLISH, de=GERMAN), val_target="x")


@pytest.mark.parametrize("shared", [True, False])
def test_what_is_saved_is_opened(files, tmp_path, shared):
    data = PairData.read(*files(en=ENGLISH, de=GERMAN), shared=shared)
    data.save(tmp_path / "data")
    opened = PairData.open(tmp_path / "data")
    assert opened.fingerprint() == data.fingerprint()
    assert (opened.notes, opened.shared) == (data.notes, shared)
    assert opened.source.vocab.fingerprint() == data.source.vocab.fingerprint()
    assert opened.target.vocab.fingerprint() == data.target.vocab.fingerprint()
    (tmp_path / "data" / "pairs.json").write_text('{"shared": true}')
    with pytest.raises(RunError, match="damaged: 'notes' is missing"):
        PairData.open(tmp_path / "data")


def test_batches_hold_both_sides(files):
    pairs = PairData.read(*files(en=ENGLISH, de=GERMAN), tokens="word", min_count=1).train
    batch = pairs.padded(np.array([3, -1, 0]), 8)
    assert batch.source.shape == batch.target.shape == (3, 8)
    assert batch.source_lengths.tolist() == [pairs.source.lengths[3], 0, pairs.source.lengths[0]]
    assert not batch.target[1].any()
    assert batch.target[0, : batch.target_lengths[0]].tolist() == pairs.target.split()[3].tolist()


def test_a_sentence_has_no_line_break_inside():
    side = Sentences.build(["a b", "b a"], "char", None, None)
    assert side.encode(" a\n  b ").tolist() == side.encode("a b").tolist()
    assert side.encode(" \n").tolist() == [side.end]
