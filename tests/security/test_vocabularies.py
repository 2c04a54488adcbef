"""Vocabularies that somebody sent: their tokens are all that counts, and odd ones are refused."""

import copy
import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unspool import DataError
from unspool.data import VOCABULARIES, build_vocabulary, subword, vocabulary_from_json

TEXT = "the thread goes out, the thread comes in — été\n" * 3
VALID = {
    kind: build_vocabulary(kind, [TEXT], **({"vocab_size": 280} if kind == "bpe" else {})).to_json()
    for kind in VOCABULARIES
}
LOAD = """
import json, sys
from unspool.data import vocabulary_from_json
vocab = vocabulary_from_json(json.load(sys.stdin))
print(vocab.encode("the thread\\n").tolist())
"""

# Each of these ended the process, took gigabytes or changed tokens when the library read it.
HOSTILE = {
    "padding": {
        "strategy": {"Fixed": 10**15}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "a",
    },
    "truncation": {
        "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 10**9,
    },
    "post_processor": {
        "type": "BertProcessing", "sep": ["a", 64], "cls": ["a", 64],
    },
    "decoder": {"type": "Replace", "pattern": {"Regex": "(a*)*b"}, "content": "x"},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_tokenizer_is_rebuilt_from_its_vocabulary_and_merges(name):
    """Run in a separate process, which a panic of the library would end."""
    value = {**VALID["bpe"], name: HOSTILE[name]}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], input=json.dumps(value), capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    expected = vocabulary_from_json(VALID["bpe"]).encode("the thread\n").tolist()
    assert json.loads(done.stdout) == expected


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5),
    st.just("\ud800"), st.lists(st.text(max_size=2), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(-3, 3), max_size=3),
)  # fmt: skip


def places(value, path=()):
    """The paths of the parts of a JSON value, of long lists and objects the first few."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in list(items)[:6]:
            yield from places(part, (*path, key))


@pytest.mark.parametrize("kind", VOCABULARIES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_odd_values_are_refused_or_do_no_harm(kind, data):
    value = copy.deepcopy(VALID[kind])
    path = data.draw(st.sampled_from(list(places(value))[1:]))
    part = value
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = data.draw(ODD)
    try:
        vocab = vocabulary_from_json(value)
        ids = vocab.encode("the thread\n")
    except DataError:
        return
    assert ((ids >= 0) & (ids < len(vocab))).all()
    assert "thread" in vocab.decode(ids) or vocab.unknown_id in ids
    vocab.unknown(["the thread\n"])
    json.dumps(vocab.to_json())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"kind": "word", "words": [" <unk>", *map(str, range(9))]}, "at most 8 tokens"),
        ({"kind": "word", "words": [" <unk>", "x" * 21]}, "of 20 letters"),
        ({"kind": "word", "words": [" <unk>", "a", "a"]}, "must be distinct"),
        ({"kind": "word", "words": [" <unk>", "\ud800"]}, "lone surrogate"),
        ({"kind": "word", "words": {" <unk>": 0}}, "must be a list of strings"),
        ({"kind": "char", "chars": "a\ud800"}, "lone surrogate"),
        ({"kind": "char", "chars": ["a", "b"]}, "chars must be a string"),
        ({"kind": "char", "chars": "ab", "unknown": True}, "unknown must be true or false"),
        ({"kind": "char", "chars": "ab", "unknown": [1]}, "unknown must be true or false"),
        (VALID["bpe"], "at most 8 tokens"),
    ],
)
def test_bounds(value, message, monkeypatch):
    monkeypatch.setattr(subword, "MAX_TOKENS", 8)
    monkeypatch.setattr(subword, "MAX_TOKEN", 20)
    with pytest.raises(DataError, match=message):
        vocabulary_from_json(value)
