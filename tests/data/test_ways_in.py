"""The same content is the same data in every format, and nothing is dropped silently."""

import bz2
import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.data import (
    CaptionData,
    LabelledData,
    Pictures,
    Rows,
    form_of,
    held_out,
    join_rows,
    looks_like_path,
    open_sources,
    read_labelled,
    read_lines,
    read_parallel,
    read_series,
    read_unlabelled,
)
from unspool.data.encoders import ImageEncoder, SeriesEncoder
from unspool.data.folders import walk_files
from unspool.data.left_out import LeftOut
from unspool.data.text_files import as_file
from unspool.errors import DataError
from unspool.files import write_json

NAMES = ["a.txt", "B.TXT", ".hidden", "ö.txt", "with blank.txt", "x\u202fy.txt", "z"]
WORDS = st.text(st.sampled_from("ab é\"',;\tß"), min_size=1, max_size=12)


@pytest.fixture
def standard_input(monkeypatch):
    def put(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


def text_of(*names):
    with open_sources(names) as sources:
        return "".join(sources.pieces()), sources.notes


@given(
    tree=st.dictionaries(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join),
        st.sampled_from(["file", "link", "hard", "nowhere"]),
        max_size=8,
    )
)
def test_a_walk_yields_every_real_file_once_and_counts_the_rest(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("walk")
    (root.parent / "other").touch()
    made = set()
    for name, kind in tree.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.write_text(name)
            elif kind == "hard" and made:
                os.link(sorted(made)[0], path)
            else:
                path.symlink_to(root.parent / ("nowhere" if kind == "nowhere" else "other"))
        except OSError:  # a name is taken, or is a file's
            continue
        made |= {path} if kind == "file" else set()
    visible = [
        path for path in root.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(root).parts)
    ]  # fmt: skip
    left_out = LeftOut()
    found = walk_files(root, left_out)
    assert found == sorted(found)
    assert {p.stat().st_ino for p in found} == {p.stat().st_ino for p in visible}
    assert len({p.stat().st_ino for p in found}) == len(found)
    assert left_out.counts().get("links to files that are read already", 0) == len(visible) - len(
        found
    )


def test_a_link_beside_its_file_leaves_the_file_under_its_own_name(tmp_path):
    (tmp_path / "book.txt").write_text("text")
    (tmp_path / "a-link.txt").symlink_to("book.txt")
    assert [path.name for path in walk_files(tmp_path)] == ["book.txt"]
    text, notes = text_of(tmp_path)
    assert text == "text"
    assert notes == (f"{tmp_path}: left out links to files that are read already: 1 (a-link.txt)",)


def test_runs_are_no_part_of_a_text(tmp_path):
    (tmp_path / "one.txt").write_text("text")
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    (run / "samples.txt").write_text("sample")
    assert text_of(tmp_path)[0] == "textsample"
    write_json(run / "config.json", {"format_version": 1, "model": {}, "task": {}})
    text, notes = text_of(tmp_path)
    assert (text, notes) == ("text", (f"{tmp_path}: left out run directories: 1 (runs/a)",))
    (run / "mine.txt").write_text("mine")
    assert text_of(run)[0] == "mine"  # a text beside the run in its own folder


ENCODED = {
    "plain": lambda text: text.encode(),
    "mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32"),
    "gzip": lambda text: gzip.compress(text.encode("utf-8-sig")),
}


@pytest.mark.parametrize("form", ENCODED)
@pytest.mark.parametrize("way", ["file", "stdin", "folder"])
def test_a_text_is_the_same_in_every_encoding_and_by_every_way(tmp_path, standard_input, form, way):
    text = "Straße — été\nनदी 🙂\r\n" * 50
    path = tmp_path / "folder" / "t.txt"
    path.parent.mkdir()
    path.write_bytes(ENCODED[form](text))
    standard_input(path.read_bytes())
    source = {"file": path, "stdin": "-", "folder": path.parent}[way]
    assert text_of(source)[0] == text
    if way != "folder":
        standard_input(path.read_bytes())
        with as_file(source) as file:
            assert read_lines(file) == text.splitlines()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9 au lait", "is not UTF-8 text (bad byte at offset 3)"),
        (b"\xff\xfea\0b", "is not UTF-16 text (bad byte at offset 4)"),
        (gzip.compress(b"x" * 999, mtime=0)[:-9], "its gzip data cannot be unpacked"),
        (bz2.compress(b"x" * 99), "is compressed (bzip2): unpack it first"),
        (b"PK\3\4\0\0", "is compressed (zip): unpack it first"),
        (b"a\0b", "looks binary"),
    ],
)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_what_is_no_text_is_named_as_what_it_is(tmp_path, standard_input, content, message, way):
    (tmp_path / "t.txt").write_bytes(content)
    standard_input(content)
    source = "-" if way == "stdin" else tmp_path / "t.txt"
    name = "standard input" if way == "stdin" else str(source)
    with pytest.raises(DataError) as error, as_file(source) as file:
        read_lines(file)
    assert str(error.value).startswith(name)
    assert message in str(error.value)


@given(
    rows=st.lists(st.tuples(st.sampled_from(["pos", "neg"]), WORDS), min_size=1, max_size=6),
    header=st.sampled_from(["label,text", '"label","text"', " Label , TEXT ", "\ufefflabel,text"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_tables_are_read_as_they_were_written(tmp_path_factory, rows, header, end):
    path = tmp_path_factory.mktemp("table") / "T.CSV"
    quoted = ['{},"{}"'.format(label, text.replace('"', '""')) for label, text in rows]
    path.write_text(end.join([header, *quoted, ""]), newline="")
    if all(text.strip() for _, text in rows):
        found = read_labelled(path)
        assert list(zip(found.labels, found.rows, strict=True)) == rows
        assert read_unlabelled(path, ()).rows == found.rows
    else:
        with pytest.raises(DataError, match="the text is empty"):
            read_labelled(path)


@given(row=st.integers(0, 59), more=st.booleans())
def test_a_quote_that_is_never_closed_is_an_error_with_its_line(tmp_path_factory, row, more):
    path = tmp_path_factory.mktemp("quote") / "t.csv"
    lines = [f"{'pos' if i % 2 else 'neg'},a film {i}" for i in range(60)]
    lines[row] = lines[row].replace(",", ',"')
    lines += ['pos,"a, b"'] if more else []
    path.write_text("\n".join(["label,text", *lines]))
    with pytest.raises(DataError, match=f"row {row + 2}: "):
        read_labelled(path)


def test_a_long_field_and_carriage_returns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"label,text\na,{'x' * 200_000}\nb,y\n")
    assert [len(row) for row in read_labelled(path).rows] == [200_000, 1]
    path.write_text("label,text\ra,x\rb,y\r", newline="")
    assert read_labelled(path)[:2] == (["x", "y"], ["a", "b"])
    path.write_text("label,text\na,x\ry\nb,z\n", newline="")
    with pytest.raises(DataError, match="row 2: a carriage return is in a field without quotes"):
        read_labelled(path)


def test_a_tab_separates_where_every_line_has_one(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("very bad\tdull film\ngood\t fine  film \n")
    assert read_labelled(path)[:2] == (["dull film", "fine  film"], ["very bad", "good"])
    path.write_text("bad\tdull film\ngood fine film\n")
    assert read_labelled(path)[:2] == (["dull film", "fine film"], ["bad", "good"])


def test_tags_lose_white_space(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("Anna\tB-PER \nsings\tO\n\nOslo \tB-LOC\n")
    assert read_labelled(path, aligned=True).labels == [["B-PER", "O"], ["B-LOC"]]


def test_folders_of_classes(tmp_path):
    for name in ("pos/1.txt", "pos/2021/2.txt", "neg/1.txt", "README.txt", "urls_pos.txt",
                 ".DS_Store", "neg/.DS_Store"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "pos" / "logo.png").write_bytes(b"\x89PNG\0")
    found = read_labelled(tmp_path)
    assert found[:2] == (
        ["neg/1.txt", "pos/1.txt", "pos/2021/2.txt"], ["neg", "pos", "pos"]
    )  # fmt: skip
    notes = "\n".join(found.notes)
    assert "hidden files and folders: 2 (.DS_Store, neg/.DS_Store)" in notes
    assert "files beside the folders of classes: 2 (README.txt, urls_pos.txt)" in notes
    assert "files that are not text: 1 (pos/logo.png" in notes
    assert read_unlabelled(tmp_path, ["pos", "neg"]).labels == ["neg", "pos", "pos"]
    assert set(read_unlabelled(tmp_path, ["x", "y"]).labels) == {None}


def test_a_readme_beside_files_of_lines_is_no_class(tmp_path):
    for name in ("Irish.txt", "Czech.TXT", "README.txt", "names.md"):
        (tmp_path / name).write_text("one\ntwo\n")
    found = read_labelled(tmp_path)
    assert set(found.labels) == {"Irish", "Czech"}
    assert found.notes == (f"{tmp_path}: left out files that are not a LABEL.txt: 2 "
                           "(README.txt, names.md)",)  # fmt: skip


@given(
    tags=st.lists(
        st.lists(st.sampled_from("ABCDEFG"), min_size=1, max_size=3), min_size=2, max_size=8
    ),
    seed=st.integers(0, 99),
    fraction=st.floats(0.1, 0.9),
)
def test_nothing_is_held_out_whose_label_training_lacks(tags, seed, fraction):
    try:
        train, val = held_out(tags, fraction, seed)
    except DataError:
        return
    assert sorted(train + val) == list(range(len(tags)))
    known = {tag for i in train for tag in tags[i]}
    assert {tag for i in val for tag in tags[i]} <= known


FORMS = {
    "t.tsv": "label\ttext\npos\ta lovely film\nneg\ta dull film\n",
    "t.csv": "text,label\na lovely film,pos\na dull film,neg\n",
    "tab.txt": "pos\ta lovely film\nneg\ta dull film\n",
    "blank.txt": "pos a lovely film\nneg a dull film\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_the_forms_of_training_are_recognised_when_they_are_labelled(
    tmp_path, standard_input, name
):
    (tmp_path / name).write_text(FORMS[name])
    wanted = (["a lovely film", "a dull film"], ["pos", "neg"])
    assert read_labelled(tmp_path / name)[:2] == wanted
    assert read_unlabelled(tmp_path / name, ["neg", "pos"])[:2] == wanted
    standard_input(FORMS[name].encode())
    found = read_unlabelled("-", ["neg", "pos"])
    assert found[:2] == wanted
    assert found.where[0].startswith("standard input row ")


def test_texts_without_labels(tmp_path):
    (tmp_path / "new.csv").write_text("id,text\n1,one\n2,two\n")
    assert read_unlabelled(tmp_path / "new.csv", ["pos"])[:2] == (
        ["one", "two"], [None, None]
    )  # fmt: skip
    (tmp_path / "l.txt").write_text("pos and neg\n\n  \nneg or pos?\n")
    assert read_unlabelled(tmp_path / "l.txt", ["pos"]).rows == ["pos and neg", "", "  ",
                                                                "neg or pos?"]  # fmt: skip


def test_tagged_files_are_recognised(tmp_path):
    (tmp_path / "t.txt").write_text("Anna B-PER\nsings O\n\nOslo B-LOC\n")
    known = ["B-PER", "B-LOC", "O"]
    found = read_unlabelled(tmp_path / "t.txt", known, aligned=True)
    assert found.rows == [["Anna", "sings"], ["Oslo"]]
    raw = read_unlabelled(tmp_path / "t.txt", ["O"], aligned=True)
    assert raw.rows == ["Anna B-PER", "sings O", "", "Oslo B-LOC"]


@pytest.mark.parametrize("text", ["missing.txt", "a/b", "my notes.txt", "dir/x y.tsv", "new.md"])
def test_what_looks_like_a_path(text):
    assert looks_like_path(text)


@pytest.mark.parametrize("text", ["a film", "and/or it is", "It ended.", "Hm...", "a\nb.txt", "é"])
def test_what_is_a_text(text):
    assert not looks_like_path(text)


def test_rows_are_joined():
    one, two = Rows(["a"], ["x"], ["1"]), Rows(["b"], [None], ["2"], ("note",))
    assert join_rows([one, two, two]) == (
        ["a", "b", "b"], ["x", None, None], ["1", "2", "2"], ("note",)
    )  # fmt: skip


def test_texts_that_are_cut_are_counted(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("".join(f"{'ab'[i % 2]} {'word ' * (5 + i)}\n" for i in range(10)))
    data = LabelledData.read(path, max_length=12)
    assert any(n.startswith("2 texts have more than 12 tokens and are cut") for n in data.notes)
    assert not any("are cut" in n for n in LabelledData.read(path, max_length=14).notes)


SERIES = {
    "empty.csv": ("series,label,x\na,,1\n", "row 2: the label is empty"),
    "what.csv": ("series,label,x\na,?,1\n", "row 2: the label is missing"),
    "a.ts": ("@classLabel true u d\n@data\n1,2:?\n", "row 3: the label is missing"),
    "b.TS": ("@classLabel true u d\n@data\n1,2:x\n", "row 3: the label 'x' is not declared"),
    "c.ts": ("@data\n1,2:2,1:up\n", "needs a line `@classLabel true LABELS`"),
    "d.ts": ("@classLabel true u d\n@data\n1\t2:u\n", "commas must separate the numbers"),
    "big.csv": ("series,label,x\na,u,1e39\n", "step 1 has a number that is missing, not finite"),
    "quote.csv": ('series,label,x\na,u,"1\n', "row 2: a quote opens here"),
}


@pytest.mark.parametrize("name", SERIES)
def test_series_that_are_refused(tmp_path, name):
    content, message = SERIES[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as error:
        read_series(tmp_path / name)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([1.0, np.nan]), "row 2: the label must be a string or a number, got nan"),
        (np.array(["a", " "]), "row 2: the label is empty"),
        (np.array([b"a", b"\xff"]), "row 2: the label b'\\xff' is not UTF-8"),
        (np.array([1 + 2j, 2]), "the label must be a string or a number"),
    ],
)
@pytest.mark.parametrize("array", ["series", "images"])
def test_labels_of_arrays(tmp_path, labels, message, array):
    np.savez(tmp_path / "a.npz", **{array: np.ones((2, 3, 3)), "labels": labels})
    (tmp_path / "a.npz").rename(tmp_path / "A.NPZ")
    with pytest.raises(DataError) as error:
        read_labelled(tmp_path / "A.NPZ")
    assert message in str(error.value)
    np.savez(tmp_path / "a.npz", **{array: np.ones((2, 3, 3)), "labels": np.array([b"u", b"d"])})
    assert read_labelled(tmp_path / "a.npz").labels == ["u", "d"]


def test_series_of_ucr(tmp_path):
    (tmp_path / "Coffee_TRAIN.tsv").write_text("0\t0.5\t1.5\tNaN\n1\t0.25\t2e0\t3\n")
    assert form_of(tmp_path / "Coffee_TRAIN.tsv") == "series"
    rows, labels, _ = read_series(tmp_path / "Coffee_TRAIN.tsv")
    assert [row.ravel().tolist() for row in rows] == [[0.5, 1.5], [0.25, 2.0, 3.0]]
    assert labels == ["0", "1"]
    (tmp_path / "t.tsv").write_text("label\ttext\n1\t2 films\n")
    assert form_of(tmp_path / "t.tsv") == "text"


def test_a_constant_column_has_a_deviation_of_one():
    series = [np.column_stack([np.arange(50.0), np.full(50, 14.62)]) for _ in range(30)]
    encoder = SeriesEncoder.build(series)
    assert encoder.std[1] == 1
    shifted = series[0] + [0, 1e-6]
    assert np.abs(encoder.encode(shifted) - encoder.encode(series[0])).max() < 1e-5
    images = [np.stack([np.full((9, 9), 0.1), np.eye(9)], axis=-1) for _ in range(30)]
    assert ImageEncoder.build(images).std[0] == 1


def test_a_number_too_far_from_training_is_refused():
    encoder = SeriesEncoder.build([np.array([[0.0], [1e-3]])])
    with pytest.raises(DataError, match="too far from those of training"):
        encoder.encode(np.array([[3e38]]))


def test_a_million_pairs_and_a_folder_grow_linearly(tmp_path):
    """Once each was quadratic: 60,000 pairs took 55 s, 16,000 files 22 s."""
    import time

    def seconds(count):
        for side in "ab":
            (tmp_path / side).write_text("".join(f"line {n}\n" for n in range(count)))
        folder = tmp_path / f"files-{count}"
        folder.mkdir()
        for n in range(count // 20):
            (folder / f"{n}.txt").write_text("text")
        began = time.perf_counter()
        from unspool.data.pairs import without_empty

        without_empty(read_parallel(tmp_path / "a", tmp_path / "b"))
        text_of(folder)
        return time.perf_counter() - began

    small, large = seconds(10_000), seconds(80_000)
    assert large < 8 * small * 3 + 1


def test_names_in_a_folder_and_a_tar(tmp_path):
    import tarfile

    names = ["Bild 10\u202fUhr.png", "Mu\u0308ller.png", "sub/a.png", ".DS_Store"]
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "folder" / name).write_bytes(name.encode())
            archive.add(tmp_path / "folder" / name, name)
    folder, tar = Pictures(tmp_path / "folder"), Pictures(Path(tmp_path / "a.tar"))
    assert sorted(folder.contents()) == sorted(tar.contents())
    assert folder.left_out.notes() == tar.left_out.notes()


def test_texts_without_blanks_are_read_by_characters(tmp_path):
    from unspool.tasks.label.recipe import CLASSIFIER

    path = tmp_path / "t.tsv"
    signs = ["".join(np.random.default_rng(i).choice(list("电影很好看不差"), 9)) for i in range(60)]
    path.write_text("label\ttext\n" + "".join(f"{i % 2}\t{s}\n" for i, s in enumerate(signs)))
    assert CLASSIFIER.merge((str(path),), {}).tokens == "char"
    assert CLASSIFIER.merge((str(path),), {"tokens": "word"}).tokens == "word"
    data = LabelledData.read(path, tokens="char")
    assert any("tokens are characters: 100% of the words occur only once" in n for n in data.notes)
    words = LabelledData.read(path, tokens="word")
    assert any(
        "vocabulary: 0 words; unknown: 100.0% of the training part" in n for n in words.notes
    )
    assert CLASSIFIER.merge((str(path),), {"min_count": 1}).tokens == "word"
    path.write_text("label\ttext\n" + "".join(f"{i % 2}\tthe film is {i % 2}\n" for i in range(9)))
    assert CLASSIFIER.merge((str(path),), {}).tokens == "word"


def test_captions_without_blanks_are_written_by_characters(tmp_path):
    from unspool.tasks.caption.recipe import CAPTIONER

    path = tmp_path / "c.tsv"
    signs = [
        "".join(np.random.default_rng(i).choice(list("一只狗在草地上跑"), 9)) for i in range(60)
    ]
    path.write_text("".join(f"{i}.png\t{s}\n" for i, s in enumerate(signs)))
    sources = ("pictures", str(path))
    chosen = CAPTIONER.merge(sources, {})
    assert (chosen.tokens, chosen.min_count) == ("char", None)
    assert CAPTIONER.merge(sources, {"tokens": "word"}).tokens == "word"
    features = np.zeros((60, 2), np.float32)
    data = CaptionData.build(features, [[s] for s in signs], features, [["狗"]] * 60, tokens="char")
    assert "tokens are characters: 100% of the words occur only once" in data.notes
    path.write_text("".join(f"{i}.png\ta dog runs on grass\n" for i in range(9)))
    assert CAPTIONER.merge(sources, {}).tokens == "word"
