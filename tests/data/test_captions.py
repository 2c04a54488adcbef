"""Captions in four formats, names matched to pictures, and what is left out."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool import ConfigError
from unspool.data import Pictures, match_names, pair, read_captions
from unspool.errors import DataError

EXPECTED = {"b.jpg": ["A dog .", "two dogs"], "a.jpg": ["a cat"]}
KARPATHY = {
    "images": [
        {"filename": "b.jpg", "split": "train", "sentences": [
            {"raw": "A dog .", "tokens": ["a", "dog"]}, {"tokens": ["two", "dogs"]}]},
        {"filename": "a.jpg", "split": "val", "sentences": [{"raw": "a cat"}]},
    ]
}  # fmt: skip
COCO = {
    "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}, {"id": 4}],
    "annotations": [
        {"image_id": 3, "caption": "a\ncat"},
        {"image_id": 7, "caption": "A dog . "},
        {"image_id": 7, "caption": "two dogs"},
    ],
}
COCO["images"][2]["file_name"] = "without.jpg"
FORMS = {
    "tsv": "b.jpg\tA dog .\nb.jpg\ttwo dogs\n\na.jpg\ta  cat\n",
    "tsv with a header, of Windows": "\ufeffimage\tcaption\r\nb.jpg\tA dog .\r\nb.jpg\ttwo dogs\r\n"
    "a.jpg\ta cat",
    "flickr8k": "b.jpg#0\tA dog .\nb.jpg#1\ttwo dogs\na.jpg#0\ta cat\n",
    "karpathy": json.dumps(KARPATHY),
    "coco": "\n" + json.dumps(COCO, indent=1),
}


def edited(value, edit):
    copy = json.loads(json.dumps(value))
    edit(copy)
    return json.dumps(copy)


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "captions").write_text(text, encoding="utf-8", newline="")
        return tmp_path / "captions"

    return write


@pytest.mark.parametrize("form", FORMS)
def test_the_content_tells_the_form(file, form):
    found = read_captions(file(FORMS[form]))
    assert found == EXPECTED
    assert list(found) == list(EXPECTED)


def test_a_file_name_may_end_in_a_number_where_the_first_does_not(file):
    assert list(read_captions(file("a.jpg\tone\nb#2\ttwo\n"))) == ["a.jpg", "b#2"]


@pytest.mark.parametrize(
    ("split", "names"),
    [(None, ["b.jpg", "a.jpg"]), ("train", ["b.jpg"]), ("val+train", ["b.jpg", "a.jpg"])],
)
def test_splits(file, split, names):
    assert list(read_captions(file(FORMS["karpathy"]), split)) == names


def test_karpathys_folders_become_part_of_the_name(file):
    text = edited(KARPATHY, lambda v: v["images"][1].update(filepath="val2014"))
    assert list(read_captions(file(text))) == ["b.jpg", "val2014/a.jpg"]


@pytest.mark.parametrize("form", ["tsv", "flickr8k", "coco"])
def test_splits_of_a_form_without(file, form):
    with pytest.raises(ConfigError, match=r"split must be left out for .*captions, got 'train'"):
        read_captions(file(FORMS[form]), "train")


BAD_JSON = [
    (KARPATHY, lambda v: v.pop("images"), " has no key `images`: the file must have "),
    (KARPATHY, lambda v: v.update(images={}), " images: must be a list, got {}"),
    (KARPATHY, lambda v: v.update(images=[]), " has no captions"),
    (KARPATHY, lambda v: v["images"].append(3), " images[2]: must be an object, got 3"),
    (KARPATHY, lambda v: v["images"][1].pop("filename"), " images[1].filename: must be a text, "
     "got nothing"),
    (KARPATHY, lambda v: v["images"][1]["sentences"].append({}), " images[1].sentences[1].tokens: "
     "must be a list, got nothing"),
    (KARPATHY, lambda v: v["images"][0]["sentences"][0].update(raw=None), " images[0].sentences[0]"
     ".raw: must be a text, got null"),
    (COCO, lambda v: v["annotations"][1].update(image_id=8), " annotations[1].image_id: no image "
     "has the id 8"),
    (COCO, lambda v: v["annotations"][1].update(image_id=True), ": must be a number, got true"),
    (COCO, lambda v: v["annotations"][2].update(caption=" \n"), " annotations[2]: the caption is "
     "empty: remove the entry"),
    (COCO, lambda v: v["images"][1].update(id=7),
     " images[1].id: 7 is also the id of another image"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " has no captions: it must have lines `file<TAB>caption`"),
        ("image\tcaption\n", " has no captions"),
        ("a.jpg\tone\nb.jpg two\n", " line 2: must be a file name, one tab and a caption, got no "),
        ("a.jpg\tone\ttwo\n", " line 1: must be a file name, one tab and a caption, got 2 tabs"),
        ("\na.jpg\t \n", " line 2: the caption is empty: remove the entry"),
        ("\tone\n", " line 1: the file name is empty"),
        ("a.jpg#0\tone\nb.jpg\ttwo\n", " line 2: the file name must end in # and a number, as in "
         "line 1, got 'b.jpg'"),
        ('{\n"images": [\n', " line 3: is not JSON (Expecting value): the file may be truncated"),
        ("[" * 100_000, " is nested too deeply"),
        ("[1]", " has no key `images`"),
        *((edited(value, edit), message) for value, edit, message in BAD_JSON),
    ],
)  # fmt: skip
def test_bad_files(file, text, message):
    with pytest.raises(DataError) as error:
        read_captions(file(text))
    assert message in str(error.value)
    assert "captions" in str(error.value)


def test_unknown_splits(file):
    with pytest.raises(DataError, match=r"split must be one of train, val, got 'test'"):
        read_captions(file(FORMS["karpathy"]), "test")


names = st.sampled_from([f"{folder}{file}" for folder in ("", "p/", "q/") for file in "abc"])


@given(pictures=st.sets(names), captions=st.sets(names))
def test_names_match_by_path_or_else_by_an_unambiguous_base_name(pictures, captions):
    matches = match_names(pictures, captions)
    assert len(set(matches.values())) == len(matches)
    for name in pictures:
        same = [
            {other for other in group if other[-1] == name[-1]} for group in (pictures, captions)
        ]
        if name in captions:
            assert matches[name] == name
        elif [len(group) for group in same] == [1, 1]:
            assert {matches[name]} == same[1]
        else:
            assert name not in matches


def test_names_with_a_dot_in_front_are_the_same():
    assert match_names(["p/a.jpg"], ["./p/a.jpg", "q/a.jpg"]) == {"p/a.jpg": "./p/a.jpg"}


@pytest.fixture
def folder(tmp_path):
    """A folder of files with the contents given."""

    def write(contents):
        for name, content in contents.items():
            path = tmp_path / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return Pictures(tmp_path / "pictures")

    return write


def length(content, name):
    if b"bad" in content:
        raise DataError(f"{name} is broken")
    return len(content)


def test_pairs_and_what_is_left_out(folder):
    contents = {"a.jpg": b"1", "p/b.jpg": b"22", "c.jpg": b"bad"}
    pictures = folder(contents | dict.fromkeys(["d.jpg", "q/e.jpg", "r/e.jpg"], b""))
    captions = {"b.jpg": ["two"], "a.jpg": ["one", "1"], "c.jpg": ["three"], "e.jpg": ["five"]}
    captions |= {f"{i}.jpg": ["nothing"] for i in range(4)}
    for _ in range(2):  # a second pass counts nothing twice
        found = [tuple(row) for row in pair(pictures, captions, length)]
        assert found == [("a.jpg", 1, ["one", "1"]), ("p/b.jpg", 2, ["two"])]
        assert pictures.left_out.notes() == [
            "captions without a picture: 5 (e.jpg, 0.jpg, 1.jpg, ...)",
            "pictures without captions: 1 (d.jpg)",
            "pictures whose base name is ambiguous: 2 (q/e.jpg, r/e.jpg)",
            "pictures that cannot be used: 1 (c.jpg is broken)",
        ]
    assert pictures.left_out.counts()["captions without a picture"] == 5


@pytest.mark.parametrize(
    ("captions", "reason"),
    [
        ({"x.jpg": ["a dog"]}, "captions without a picture: 1 (x.jpg)"),
        ({"a.jpg": ["a dog"]}, "pictures that cannot be used: 1 (a.jpg is broken)"),
    ],
)
def test_no_pair_at_all(folder, captions, reason):
    with pytest.raises(DataError, match="no picture that can be used with a caption") as error:
        list(pair(folder({"a.jpg": b"bad"}), captions, length))
    assert reason in str(error.value)


def test_flickr8k(data_dir):
    pytest.importorskip("PIL")
    from unspool.data import decode_picture

    folder = data_dir / "flickr8k"
    pictures = Pictures(folder / "val-images.tar")
    captions = read_captions(folder / "val-captions.tsv")
    found = list(pair(pictures, captions, decode_picture))
    assert len(found) == 1000
    assert {len(row.captions) for row in found} == {5}
    assert {row.picture.shape for row in found} == {(224, 224, 3)}
    assert 80 < np.mean([row.picture.mean() for row in found]) < 150
    assert pictures.left_out.notes() == []
