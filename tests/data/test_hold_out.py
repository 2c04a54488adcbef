"""Identical inputs stay on one side of a hold-out, and are counted if a named part has them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.data import LabelledData, PairData, Text, content_key, held_out
from unspool.data.passages import passages_note
from unspool.tasks.caption.recipe import CaptionRecipe


def sides(parts):
    return [set(part.contents()) for part in parts]


@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab")), max_size=30),
    seed=st.integers(0, 9),
    fraction=st.floats(0.1, 0.9),
)
def test_identical_inputs_stay_on_one_side_whatever_their_labels(rows, seed, fraction):
    rows += [(7, "a"), (8, "a"), (7, "b"), (9, "b")]
    inputs, labels = zip(*rows, strict=True)
    train, val = held_out(labels, fraction, seed, inputs=inputs)
    assert sorted(train + val) == list(range(len(rows)))
    assert not {inputs[i] for i in train} & {inputs[i] for i in val}
    assert {labels[i] for i in train} == {"a", "b"}
    assert val


@given(
    sizes=st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=12), min_size=1, max_size=3),
    seed=st.integers(0, 9),
    fraction=st.floats(0.1, 0.9),
)
def test_shares_of_labels_are_near_what_was_asked_for(sizes, seed, fraction):
    rows = [
        (f"{label} {group}", str(label))
        for label, of_label in enumerate(sizes)
        for group, size in enumerate(of_label)
        for _ in range(size)
    ]
    inputs, labels = zip(*rows, strict=True)
    found = Counter(labels[i] for i in held_out(labels, fraction, seed, inputs=inputs)[1])
    for label, of_label in enumerate(sizes):
        wanted = min(max(round(fraction * sum(of_label)), 1), sum(of_label) - 1)
        assert 1 <= found[str(label)] < sum(of_label)
        assert abs(found[str(label)] - wanted) < max(of_label)


def test_a_rare_label_has_its_share_though_its_inputs_have_a_common_one_too():
    # As Scottish names, which are English as well: once English is full, nothing would fit.
    rows = [(i, "English") for i in range(1000)] + [(i, "Scottish") for i in range(100)]
    inputs, labels = zip(*rows, strict=True)
    for seed in range(5):
        found = Counter(labels[i] for i in held_out(labels, 0.2, seed, inputs=inputs)[1])
        assert found["Scottish"] == 20
        assert 200 <= found["English"] <= 220


def test_without_repeats_the_split_is_the_one_of_before():
    labels = ["a"] * 12 + ["b"] * 6 + ["c"]
    wanted = [0, 1, 2, 12, 16]
    assert held_out(labels, 0.25, 3)[1] == wanted
    assert held_out(labels, 0.25, 3, inputs=[f"text {i}" for i in range(19)])[1] == wanted
    tags = [["a"], ["b"], ["a", "c"], ["b"], ["a"], ["c"]]
    assert held_out(tags, 0.4, 1, inputs="abcdef")[1] == [0, 2]


def test_what_counts_as_identical():
    assert content_key(" the\tthread\n") == content_key("the  thread")
    assert content_key("The thread") != content_key("the thread")
    assert content_key(["a b"]) != content_key(["a", "b"])
    row = np.arange(6.0)
    assert content_key(row.reshape(2, 3)) == content_key(np.arange(6.0).reshape(2, 3))
    assert content_key(row.reshape(2, 3)) != content_key(row.reshape(3, 2))


SOURCES = {
    "lines.tsv": "label\ttext\n" + "".join(f"{'xy'[i % 2]}\tword {i % 20}\n" for i in range(60)),
    "words.txt": "".join(f"a{i % 20} X\nb Y\n\n" for i in range(60)),
}


@pytest.mark.parametrize("name", [*SOURCES, "series.npz", "images.npz"])
def test_what_is_held_out_of_labelled_data_is_not_trained_on(tmp_path, name):
    draw = np.random.default_rng(0).integers(0, 255, (20, 4, 3)).repeat(3, axis=0)
    labels = ["x", "y"] * 30
    np.savez(tmp_path / "series.npz", series=draw.astype(float), labels=labels)
    np.savez(tmp_path / "images.npz", images=draw.astype(np.uint8), labels=labels)
    for file, text in SOURCES.items():
        (tmp_path / file).write_text(text)
    options = {"aligned": name == "words.txt", "affixes": 64}
    data = LabelledData.read(tmp_path / name, val_fraction=0.2, **options)
    train, val = sides((data.train, data.val))
    assert (len(train), len(val), len(data.val.lengths)) == (16, 4, 12)
    assert not train & val
    assert (
        "40 of 60 sequences have the same input as an earlier one: they are trained on or held "
        "out together"
    ) in data.notes
    named = LabelledData.read(tmp_path / name, val=tmp_path / name, **options)
    assert (
        "60 of 60 held-out sequences are in the training part too, as the model reads them"
        in named.notes
    )


def test_what_is_held_out_of_pairs_has_other_sources(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"in {i % 20}\tout {i}\n" for i in range(60)))
    (tmp_path / "val.tsv").write_text("in 3\tx\nin 99\ty\n in  4\tz\n")
    data = PairData.read(tmp_path / "pairs.tsv", val_fraction=0.2, tokens="char")
    train, val = sides((data.train.source, data.val.source))
    assert (len(train), len(val), len(data.val.lengths)) == (16, 4, 12)
    assert not train & val
    assert data.notes[1].startswith("40 of 60 sentence pairs have the same input as an earlier one")
    named = PairData.read(tmp_path / "pairs.tsv", val_source=tmp_path / "val.tsv", tokens="char")
    assert (
        "2 of 3 held-out sentences are in the training part too, as the model reads them"
        in named.notes
    )


def test_what_is_held_out_of_pictures_is_not_trained_on_under_another_name(tmp_path):
    names = [f"{i}.png" for i in range(60)]
    features = np.random.default_rng(0).normal(size=(20, 5)).repeat(3, axis=0)
    np.savez(tmp_path / "f.npz", names=names, features=features)
    given = features[-1] + np.array([[0], [1]])
    np.savez(tmp_path / "val.npz", names=["a.png", "0.png"], features=given)
    (tmp_path / "c.tsv").write_text("".join(f"{n}\tone of them\n" for n in [*names, "a.png"]))
    recipe, given = CaptionRecipe(), {"min_count": 1, "tokens": "word", "val_fraction": 0.2}
    sources = (str(tmp_path / "f.npz"), str(tmp_path / "c.tsv"))
    data = recipe.read(sources, tmp_path / "data", recipe.merge(sources, given))
    train, val = ({row.tobytes() for row in p.features} for p in (data.train, data.val))
    assert (len(train), len(val), len(data.val.names)) == (16, 4, 12)
    assert not train & val
    assert any(note.startswith("40 of 60 pictures have the same input") for note in data.notes)
    assert recipe.open(tmp_path / "data").keys == data.keys
    given["val_features"] = str(tmp_path / "val.npz")
    named = recipe.read(sources, tmp_path / "named", recipe.merge(sources, given))
    assert (
        "1 of 2 held-out pictures are in the training part too, as the model reads them"
        in named.notes
    )


def test_passages_of_a_held_out_text_are_looked_for_in_training():
    draw = np.random.default_rng(0).integers(0, 300, 5000).astype("<u2")
    assert passages_note(draw, draw[1111:3333], "text") == [
        "20 of 20 passages of 64 tokens of the text are in the training part too"
    ]
    half = np.concatenate([draw[70:711], draw[1000:1641][::-1]])
    assert passages_note(draw, half, "text")[0].startswith("10 of 20 passages")
    assert passages_note(draw, draw[::-1], "text") == []
    assert passages_note(draw, draw[:63], "text") == []


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe"])
def test_a_held_out_text_that_is_part_of_the_training_text_is_named(tmp_path, tokens):
    words = np.random.default_rng(0).integers(0, 500, 3000).astype(str)
    (tmp_path / "train").write_text(" ".join(words))
    (tmp_path / "part").write_text(" ".join(words[1000:2500]))
    (tmp_path / "other").write_text(" ".join(words[::-1]))
    found = {
        name: Text.read(tmp_path / "train", val=tmp_path / name, tokens=tokens, min_count=None)
        for name in ("part", "other")
    }
    assert found["part"].notes[-1].endswith("of the held-out text are in the training part too")
    assert int(found["part"].notes[-1].split()[0]) >= 18
    assert found["other"].notes == ()
