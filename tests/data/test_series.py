"""Series of numbers from .npz, .csv and .ts files, and faulty ones."""

import numpy as np
import pytest

from unspool.data import LabelledData, SeriesEncoder, form_of, read_series
from unspool.errors import DataError

TS = "# a comment\n@problemName Two\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n7,8:9,10:b\n"


def test_npz(tmp_path):
    path = tmp_path / "a.npz"
    series = np.arange(12.0).reshape(2, 3, 2)
    np.savez(path, series=series, lengths=[3, 2], labels=["u", "v"])
    rows, labels, where = read_series(path)
    assert [row.tolist() for row in rows] == [series[0].tolist(), series[1, :2].tolist()]
    assert (labels, where[1]) == (["u", "v"], f"{path} row 2")
    np.savez(path, series=series[..., 0], lengths=[3, 2], labels=[[0, 1, 0], [1, 1, 9]])
    rows, labels, _ = read_series(path, aligned=True)
    assert rows[1].shape == (2, 1)
    assert labels == [["0", "1", "0"], ["1", "1"]]


def test_csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("series,label,x,y\na,u,1,2\na,u,3,4\nb,v,5,6\n")
    assert form_of(path) == "series"
    rows, labels, where = read_series(path)
    assert [row.tolist() for row in rows] == [[[1, 2], [3, 4]], [[5, 6]]]
    assert (labels, where) == (["u", "v"], [f"{path} row 2", f"{path} row 4"])
    assert read_series(path, aligned=True)[1] == [["u", "u"], ["v"]]


def test_ts(tmp_path):
    path = tmp_path / "a.ts"
    path.write_text(TS)
    rows, labels, where = read_series(path)
    assert [row.tolist() for row in rows] == [[[1, 4], [2, 5], [3, 6]], [[7, 9], [8, 10]]]
    assert (labels, where[1]) == (["a", "b"], f"{path} row 6")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ts", TS + "1,2:3:a\n", "a.ts row 7: the dimensions have different lengths, [1, 2]"),
        ("a.ts", TS + "1,2:a\n", "a.ts row 7: the series has 1 columns, those before 2"),
        ("a.ts", TS + "1,?:3,4:a\n", "a.ts row 7: step 2 has a number that is missing"),
        ("a.ts", TS + "1,x:3,4:a\n", "a.ts row 7: could not convert string to float: 'x'"),
        ("a.ts", "@data\n", "has no series after a line @data"),
        ("a.ts", "@timestamps true\n", "a.ts row 1: time stamps are not supported"),
        ("a.csv", "series,tag\na,1\n", "a.csv has no labels: it has no column `label`"),
        ("a.csv", "series,label\n", "a.csv row 1: columns must be series, label"),
        ("a.csv", "series,label,x\na,u\n", "a.csv row 2: has 2 columns, not 3"),
        ("a.csv", "series,label,x\na,u,1\na,v,2\n", "a.csv row 3: series a has the label 'v'"),
        ("a.csv", "series,label,x\na,u,1\na,u,nan\n", "a.csv row 2: step 2 has a number"),
    ],
)
def test_bad_text_files(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as error:
        read_series(tmp_path / name)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones(3)}, "must have the arrays `series` (or `images`) and `labels`, has x"),
        ({"series": np.ones(3)}, "series must be numbers (B, T, D), got float64 of"),
        ({"series": np.ones((2, 3, 1))}, "has no labels"),
        ({"series": np.ones((2, 3, 1)), "labels": [1]}, "labels must have shape (2,), got (1,)"),
        ({"series": np.ones((2, 3, 1)), "labels": [1, 2], "lengths": [3, 0]}, "row 2: the series "
         "has length 0"),
        ({"series": np.ones((2, 3, 1)), "labels": [1, 2], "lengths": [3, 4]}, "row 2: its length "
         "must be from 1 to 3, got 4"),
        ({"series": np.full((2, 3, 1), np.nan), "labels": [1, 2]}, "row 1: step 1 has a number"),
    ],
)  # fmt: skip
def test_bad_arrays(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as error:
        read_series(tmp_path / "a.npz")
    assert message in str(error.value)


def test_a_file_that_is_no_npz(tmp_path):
    (tmp_path / "a.npz").write_text("hello")
    with pytest.raises(DataError, match="is not a readable"):
        read_series(tmp_path / "a.npz")


def test_normalisation_is_that_of_the_training_part(tmp_path):
    series = np.random.default_rng(0).normal(3, 5, (20, 7, 2))
    series[..., 1] = 4  # constant: must not divide by zero
    np.savez(tmp_path / "a.npz", series=series, labels=[0, 1] * 10)
    data = LabelledData.read(tmp_path / "a.npz", val_fraction=0.3)
    assert data.train.values[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert data.train.values[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert not data.train.values[:, 1].any()
    assert data.val.values[:, 0].mean() != pytest.approx(0, abs=1e-3)


def test_another_width_is_refused():
    encoder = SeriesEncoder.build([np.ones((4, 3))])
    with pytest.raises(DataError, match=r"must have 3 columns, as in training, got shape \(4, 2\)"):
        encoder.encode(np.ones((4, 2)))
