"""Text.read and Text.open: parts, vocabulary, checks, files."""

import gc
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unspool.data import VOCABULARIES, Size, Text, build_vocabulary, fingerprint_sources
from unspool.errors import ConfigError, DataError, RunError, UnknownTokenError

VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20


@pytest.fixture
def verse(tmp_path):
    path = tmp_path / "verse.txt"
    path.write_bytes(VERSE.encode())
    return path


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_parts_are_the_text(verse, kind):
    text = Text.read(verse, tokens=kind)
    whole = VERSE.encode() if kind == "byte" else VERSE
    cut = int(0.9 * len(whole))
    decode = text.vocab.bytes_of if kind == "byte" else text.vocab.decode
    assert text.vocab.kind == kind
    assert decode(text.train) == whole[:cut]
    assert decode(text.val) == whole[cut:]
    assert text.sources == (str(verse),)
    assert text.notes == ()


@settings(max_examples=25)  # each writes and syncs four files
@given(n=st.integers(20, 300), fraction=st.sampled_from([0.1, 0.2, 0.25, 0.5]))
def test_the_cut_is_the_usual_one(tmp_path_factory, n, fraction):
    path = tmp_path_factory.mktemp("cut") / "a.txt"
    path.write_text(("abcdefé" * 50)[:n])
    text = Text.read(path, val_fraction=fraction)
    assert len(text.train) == int((1 - fraction) * n)
    assert len(text.train) + len(text.val) == n


def test_tiny_shakespeare_is_cut_as_usual():
    if "UNSPOOL_DATA" not in os.environ:
        pytest.skip("set UNSPOOL_DATA to the directory of the real texts")
    text = Text.read(Path(os.environ["UNSPOOL_DATA"]) / "tiny-shakespeare.txt")
    assert (text.vocab.known, len(text.train), len(text.val)) == (65, 1_003_854, 111_540)
    assert (text.vocab.unknown_id, text.val_size.unknown) == (65, 0)
    assert text.sha256 == "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_sizes_count_the_text_itself(verse, kind):
    text = Text.read(verse, tokens=kind, val_fraction=0.5)
    train, val = VERSE[: len(VERSE) // 2], VERSE[len(VERSE) // 2 :]
    if kind == "byte":
        half = len(VERSE.encode()) // 2
        train = VERSE.encode()[:half].decode()
        val = VERSE.encode()[half:].decode()
    for size, part in ((text.train_size, train), (text.val_size, val)):
        assert size[:2] == (len(part), len(part.encode()))
        if kind in ("char", "byte"):
            assert size[2:4] == (1, 1)


def test_sizes_count_unknown_words_as_they_were(tmp_path):
    (tmp_path / "a").write_text(" so so so so extraordinary so so")
    text = Text.read(tmp_path / "a", tokens="word", val_fraction=0)
    assert text.train_size[:5] == Size(32, 32, 3, 3, 1)[:5]
    counts = text.vocab.letters  # of all words, the spaces before them and their ends
    assert (counts["s"], counts["x"], counts[""]) == (6, 1, 7)
    total = sum(counts.values()) + len(counts) + 1
    spelled = sum(np.log(total / (counts[char] + 1)) for char in (*" extraordinary", ""))
    assert text.train_size.spelling_nats == pytest.approx(spelled)
    assert text.vocab.n_chars(text.train) == 32 - len(" extraordinary") + len(" <unk>")


def test_the_vocabulary_is_of_the_training_part(tmp_path):
    """What the held-out part alone has is unknown; if that is refused, both parts are known."""
    (tmp_path / "a").write_text("ab" * 45 + "z" * 10)
    text = Text.read(tmp_path / "a")
    assert text.vocab.chars == "ab\ufffd"
    assert text.val_size == Size(10, 10, 1, 1, 9, pytest.approx(9 * np.log(0x110000)))
    assert Text.read(tmp_path / "a", unknown="refuse").vocab.chars == "abz"
    (tmp_path / "a").write_text("one two " * 90 + "zz zz " * 10)
    for tokens in ("word", "bpe"):
        words = Text.read(tmp_path / "a", tokens=tokens, min_count=1).vocab
        assert not any(b"zz" in token for token in words.token_bytes)
    with pytest.raises(ConfigError, match="unknown must be one of token, refuse, got 'x'"):
        Text.read(tmp_path / "a", unknown="x")


def test_all_for_training(verse):
    text = Text.read(verse, val_fraction=0)
    assert text.vocab.decode(text.train) == VERSE
    assert (len(text.val), text.val_size) == (0, Size(0, 0))


def test_validation_text_of_its_own(verse, tmp_path):
    (tmp_path / "val").write_text("the wheel\n")
    text = Text.read(verse, val=tmp_path / "val")
    assert text.vocab.decode(text.train) == VERSE
    assert text.vocab.decode(text.val) == "the wheel\n"
    assert text.sha256 == hashlib.sha256((VERSE + "the wheel\n").encode()).hexdigest()
    assert text.sha256 == fingerprint_sources(verse, val=tmp_path / "val")


def test_unseen_characters_of_the_validation_text(verse, tmp_path):
    (tmp_path / "val").write_text("the Quick\n")
    with pytest.raises(UnknownTokenError, match="'Q', 'k'"):
        Text.read(verse, val=tmp_path / "val", unknown="refuse")
    text = Text.read(verse, val=tmp_path / "val")
    assert text.vocab.decode(text.val) == "the \ufffduic\ufffd\n"
    assert text.val_size.unknown == 2
    text = Text.read(verse, val=tmp_path / "val", tokens="word")
    assert text.vocab.decode(text.val) == "the <unk>\n"


def test_another_texts_vocabulary(verse, tmp_path):
    vocab = build_vocabulary("char", ["etha\n"])
    (tmp_path / "b").write_text("the hat\n".replace(" ", ""))
    text = Text.read(tmp_path / "b", vocab=vocab, val_fraction=0)
    assert text.vocab.fingerprint() == vocab.fingerprint()
    assert text.train.tolist() == vocab.encode("thehat\n").tolist()
    with pytest.raises(UnknownTokenError):
        Text.read(verse, vocab=vocab)


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_opened_text_is_the_same(verse, tmp_path, kind):
    text = Text.read(verse, tokens=kind, directory=tmp_path / "deep" / "data")
    again = Text.open(tmp_path / "deep" / "data")
    assert again.train.tolist() == text.train.tolist()
    assert again.val.tolist() == text.val.tolist()
    assert again.vocab.fingerprint() == text.vocab.fingerprint()
    for name in ("sources", "sha256", "notes", "train_size", "val_size"):
        assert getattr(again, name) == getattr(text, name)


def test_reading_again_replaces_the_text(verse, tmp_path):
    Text.read(verse, tokens="bpe", directory=tmp_path / "data")
    Text.read(verse, tokens="char", directory=tmp_path / "data", val_fraction=0)
    text = Text.open(tmp_path / "data")
    assert text.vocab.decode(text.train) == VERSE
    assert text.vocab.kind == "char"


FILES = ["text.json", "vocab.json", "train.bin", "val.bin"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "truncated", "edited"])
def test_damage_is_found_and_named(verse, tmp_path, name, damage):
    Text.read(verse, directory=tmp_path / "data")
    path = tmp_path / "data" / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif name == "text.json":
        path.write_text(json.dumps({"format_version": 1, "vocabulary": "?"}))
    elif name == "vocab.json":
        path.write_text(json.dumps({"kind": "char", "chars": "abc"}))
    else:
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(RunError, match=name.replace(".", r"\.")) as error:
        Text.open(tmp_path / "data")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["[]", "{}", '"x"', '{"format_version": 2}'])
def test_text_json_of_another_shape(verse, tmp_path, content):
    Text.read(verse, directory=tmp_path / "data")
    (tmp_path / "data" / "text.json").write_text(content)
    with pytest.raises(RunError, match=r"text\.json"):
        Text.open(tmp_path / "data")


def test_text_of_another_version(verse, tmp_path):
    Text.read(verse, directory=tmp_path / "data")
    path = tmp_path / "data" / "text.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(RunError, match=r"text\.json must have format_version 1, got 2"):
        Text.open(tmp_path / "data")


def test_notes_tell_what_was_skipped_in_both_texts(tmp_path):
    for folder in ("train", "val"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("abcabc")
        (tmp_path / folder / "b.png").write_bytes(b"\0")
    text = Text.read(tmp_path / "train", val=tmp_path / "val")
    assert [note.split(": ")[0] for note in text.notes] == [
        str(tmp_path / "train"), str(tmp_path / "val"),
    ]  # fmt: skip


def test_an_interrupted_read_cannot_be_opened(verse, tmp_path):
    Text.read(verse, directory=tmp_path / "data")
    (tmp_path / "val").write_text("Q" * 9)
    with pytest.raises(UnknownTokenError):
        Text.read(verse, val=tmp_path / "val", directory=tmp_path / "data", unknown="refuse")
    with pytest.raises(RunError, match=r"text\.json does not exist"):
        Text.open(tmp_path / "data")


def test_temporary_files_go_with_the_text(verse, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    text = Text.read(verse)
    assert len(list(temporary.iterdir())) == 1
    del text
    gc.collect()
    assert list(temporary.iterdir()) == []
    with pytest.raises(DataError):
        Text.read(verse, vocab=build_vocabulary("char", ["ab"]))
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", ["char", "byte"])
def test_fingerprint_is_that_of_the_text(verse, tmp_path, kind):
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfabc")
    sources = [verse, tmp_path / "bom"]
    text = Text.read(*sources, tokens=kind)
    assert text.sha256 == fingerprint_sources(*sources, tokens=kind)
    data = VERSE.encode() + (b"abc" if kind == "char" else b"\xef\xbb\xbfabc")
    assert text.sha256 == hashlib.sha256(data).hexdigest()


def test_changed_text_changes_the_fingerprint(verse):
    before = fingerprint_sources(verse)
    verse.write_text(VERSE.replace("spin", "spun", 1))
    assert fingerprint_sources(verse) != before


@pytest.mark.parametrize("options", [{"tokens": "byte"}, {"vocab": build_vocabulary("byte", [])}])
def test_byte_tokens_take_any_file(tmp_path, options):
    data = bytes(range(256)) * 4
    (tmp_path / "a.bin").write_bytes(data)
    text = Text.read(tmp_path / "a.bin", **options)
    assert text.vocab.bytes_of(text.train) + text.vocab.bytes_of(text.val) == data


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "the text is empty"),
        ("", {"tokens": "byte"}, "the text is empty"),
        ("\ufeff", {}, "the text is empty"),
        ("a", {}, "training part of the text must have at least 2 tokens, got 0"),
        ("aaaa", {}, "at least 2 different tokens, got 1"),
        (
            "each word is unique",
            {"tokens": "word"},
            "got 1 .*: use a longer text or lower min_count",
        ),
        ("ab", {}, "training part of the text must have at least 2 tokens, got 1 .*: "),
        (
            "hello",
            {},
            "validation part of the text must have at least 2 tokens, got 1 .*val_fraction",
        ),
        ("a\0b", {}, "looks binary"),
    ],
)
def test_unusable_texts(tmp_path, content, options, message):
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        Text.read(tmp_path / "a.txt", **options)


def test_empty_validation_text(verse, tmp_path):
    (tmp_path / "val").write_text("")
    with pytest.raises(DataError, match="validation text must have at least 2 tokens, got 0"):
        Text.read(verse, val=tmp_path / "val")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": "letters"}, "tokens must be one of"),
        ({"val_fraction": 1.0}, "val_fraction must be from 0 to below 1, got 1.0"),
        ({"val_fraction": -0.1}, "val_fraction must be from 0"),
        ({"vocab": build_vocabulary("byte", []), "vocab_size": 300}, "together with vocab"),
    ],
)
def test_bad_arguments(verse, options, message):
    with pytest.raises(ConfigError, match=message):
        Text.read(verse, **options)


def test_standard_input_is_not_both_parts():
    with pytest.raises(ConfigError, match=r"'-' .* not both"):
        Text.read("-", val="-")


def test_directory_that_cannot_be_made(verse):
    with pytest.raises(Exception, match="cannot write"):
        Text.read(verse, directory=verse / "data")
