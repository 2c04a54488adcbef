"""Files of labelled sequences: every form is read, and bad input is named by file and row."""

from collections import Counter

import numpy as np
import pytest

from unspool.data import LabelledData, form_of, held_out, read_labelled
from unspool.data.label_files import Rows, class_names, label_ids, one_line
from unspool.errors import ConfigError, DataError, RunError

CONLLU = """# text = The dogs'll bark
1\tThe\tthe\tDET\tDT\t_\t2\tdet\t_\t_
2-3\tdogs'll\t_\t_\t_\t_\t_\t_\t_\t_
2\tdogs\tdog\tNOUN\tNNS\t_\t4\tnsubj\t_\t_
3\t'll\twill\tAUX\tMD\t_\t4\taux\t_\t_
3.1\tx\tx\tVERB\tVB\t_\t_\t_\t_\t_
4\tbark\tbark\tVERB\tVB\t_\t0\troot\t_\t_

1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t_\t_
"""


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_lines_with_the_label_first(write):
    path = write("a.txt", "1 a good film\r\n\n0 a bad one\n")
    assert read_labelled(path)[:3] == (
        ["a good film", "a bad one"], ["1", "0"], [f"{path} row 1", f"{path} row 3"]
    )  # fmt: skip


def test_tables_by_the_names_of_columns(write):
    tsv = write("a.tsv", 'id\tText\tlabel\n1\tsays "no\tx\n2\tb\ty\n')
    assert read_labelled(tsv)[:2] == (['says "no', "b"], ["x", "y"])
    csv = write("a.csv", 'label,text\nx,"one, ""two""\nthree"\ny,b\n')
    found = read_labelled(csv)
    assert found[:2] == (['one, "two"\nthree', "b"], ["x", "y"])
    assert found.where[1] == f"{csv} row 4"


def test_folders(write, tmp_path):
    write("lines/Irish.txt", "O'Neal\n\nMcGee\n")
    write("lines/Czech.txt", "Novak\n")
    assert read_labelled(tmp_path / "lines")[:2] == (
        ["Novak", "O'Neal", "McGee"], ["Czech", "Irish", "Irish"]
    )  # fmt: skip
    write("texts/pos/1.txt", "good\nfilm")
    write("texts/neg/1.txt", "bad")
    assert read_labelled(tmp_path / "texts")[:2] == (["bad", "good\nfilm"], ["neg", "pos"])


def test_conllu(write):
    found = read_labelled(write("a.conllu", CONLLU), aligned=True)
    assert found.rows == [["The", "dogs", "'ll", "bark"], ["Yes"]]
    assert found.labels == [["DET", "NOUN", "AUX", "VERB"], ["INTJ"]]
    assert found.where[1].endswith("row 9")


def test_two_columns(write):
    found = read_labelled(write("a.txt", "Bonn B-LOC\nis O\n\n\nRe\tB-X\n"), aligned=True)
    assert (found.rows, found.labels) == ([["Bonn", "is"], ["Re"]], [["B-LOC", "O"], ["B-X"]])


@pytest.mark.parametrize(
    ("name", "text", "aligned", "message"),
    [
        ("a.txt", "1 good\n0\n", False, "a.txt row 2: the text is empty"),
        ("a.txt", "\n", False, "has no labelled sequences"),
        ("a.tsv", "label\tbody\nx\ty\n", False, "row 1: the columns must be named"),
        ("a.tsv", "label\ttext\nx\ty\nx\n", False, "a.tsv row 3: has 1 columns, not 2"),
        ("a.tsv", "label\ttext\n\ty\n", False, "a.tsv row 2: the label is empty"),
        ("a.csv", "label,text\nx, \n", False, "a.csv row 2: the text is empty"),
        ("a.conllu", "1\tThe\tDET\n", True, "a.conllu row 1: CoNLL-U has 10 columns"),
        ("a.txt", "The DET\ndog\n", True, "a.txt row 2: must be a word and its tag"),
        ("missing/a.txt", None, False, "does not exist"),
    ],
)
def test_bad_files_are_named_by_file_and_row(write, tmp_path, name, text, aligned, message):
    path = tmp_path / name if text is None else write(name, text)
    with pytest.raises(DataError) as error:
        read_labelled(path, aligned=aligned)
    assert message in str(error.value)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="neither a folder of texts nor"):
        read_labelled(tmp_path)


def test_one_class_only():
    rows = Rows(["a", "b"], ["x", "x"], ["f row 1", "f row 2"])
    with pytest.raises(DataError, match="f: all 2 sequences have the label 'x'"):
        class_names(rows, "f")


def test_unknown_labels():
    rows = Rows(["a", "b"], ["x", "z"], ["f row 1", "f row 2"])
    with pytest.raises(DataError, match="f row 2: the label 'z' is not one of the run's: x, y"):
        label_ids(rows, ("x", "y"))
    aligned = Rows([["a"]], [["z"]], ["f row 1"])
    with pytest.raises(DataError, match="f row 1: the label 'z'"):
        label_ids(aligned, ("x", "y"))


def test_lines_get_their_ends():
    assert one_line(Rows(["ab"], ["x"], ["f row 1"])).rows == ["\nab\n"]
    with pytest.raises(DataError, match="f row 1: a text to generate must be a single line"):
        one_line(Rows(["a\nb"], ["x"], ["f row 1"]))


def test_a_share_of_every_label_is_held_out():
    labels = ["a"] * 50 + ["b"] * 11 + ["c"]
    train, val = held_out(labels, 0.2, seed=0)
    assert sorted(train + val) == list(range(62))
    assert Counter(labels[i] for i in val) == {"a": 10, "b": 2}
    assert held_out(labels, 0.2, seed=0) == (train, val)
    assert held_out(labels, 0.2, seed=1) != (train, val)
    assert len(held_out([["a"], ["b"]] * 5, 0.3, seed=0)[1]) == 3
    with pytest.raises(DataError, match="nothing of 2 can be held out"):
        held_out(["a", "b"], 0.5, seed=0)
    with pytest.raises(ConfigError, match="val_fraction must be above 0 and below 1"):
        held_out(labels, 1.0, seed=0)


def test_data_comes_back_from_its_directory(write, tmp_path):
    source = write("a.txt", "".join(f"x one two {i}\ny three four five {i}\n" for i in range(5)))
    data = LabelledData.read(source, val_fraction=0.4, affixes=64)
    data.save(tmp_path / "kept")
    again = LabelledData.open(tmp_path / "kept")
    assert again.fingerprint() == data.fingerprint()
    assert (again.labels, again.notes) == (data.labels, data.notes)
    assert again.encoder.describe() == data.encoder.describe()
    (tmp_path / "kept" / "labelled.json").write_text("{}")
    with pytest.raises(RunError, match="damaged"):
        LabelledData.open(tmp_path / "kept")


def test_the_vocabulary_is_that_of_the_training_part(write):
    data = LabelledData.read(
        write("a.txt", "x ab\ny ba\n"), val=write("b.txt", "x abc\n"), tokens="char"
    )
    assert data.encoder.vocab.chars == "ab\ufffd"
    assert data.val.values.tolist() == [0, 1, 2]


def test_series_and_texts_do_not_mix(write, tmp_path):
    np.savez(tmp_path / "s.npz", series=np.ones((4, 3, 2)), labels=[0, 1, 0, 1])
    assert form_of(tmp_path / "s.npz") == "series"
    with pytest.raises(DataError, match="must both hold texts, or series, or images"):
        LabelledData.read(tmp_path / "s.npz", val=write("b.txt", "x abc\n"))


def test_tags_are_those_of_words(write):
    with pytest.raises(ConfigError, match="tokens must be word for tags of words, got 'char'"):
        LabelledData.read(
            write("a.txt", "".join(f"a{i} X\nb Y\n\n" for i in range(5))),
            aligned=True,
            tokens="char",
        )
