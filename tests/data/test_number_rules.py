"""One rule for labels and numbers, whatever the form of the file; normalisation of constants."""

import csv
import gzip
import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from unspool.data import ImageEncoder, LabelledData, SeriesEncoder, form_of, read_labelled
from unspool.data.images import read_images
from unspool.data.series import read_series
from unspool.errors import DataError

TS = "@classLabel true up down\n@data\n1,2:up\n2,1:{}\n"
CSV = "series,label,x\na,up,1\na,up,2\nb,{0},1\nb,{0},2\n"
TEXT_FORMS = {"a.ts": TS, "A.TS": TS, "a.csv": CSV, "A.CSV": CSV, "a.tsv": CSV.replace(",", "\t")}
ONE = np.ones((2, 3, 1))


@pytest.mark.parametrize("name", TEXT_FORMS)
@pytest.mark.parametrize(("label", "message"), [
    ("", "the label is empty"), ("  ", "the label is empty"), ("?", "the label is missing (?)"),
])  # fmt: skip
def test_labels_that_are_missing(tmp_path, name, label, message):
    (tmp_path / name).write_text(TEXT_FORMS[name].format(label))
    with pytest.raises(DataError, match=rf"{name} row 4: {message[:20]}"):
        read_labelled(tmp_path / name)
    rows, labels, _ = read_series(tmp_path / name, labelled=False)  # there are none to read
    assert (len(rows), labels) == (2, [])


def test_labels_that_are_not_declared(tmp_path):
    (tmp_path / "a.ts").write_text(TS.format("upp"))
    with pytest.raises(DataError, match="row 4: the label 'upp' is not declared by @classLabel"):
        read_labelled(tmp_path / "a.ts")
    (tmp_path / "a.ts").write_text(TS.replace("down", "?").format("?"))  # declared, so a class
    assert read_labelled(tmp_path / "a.ts").labels == ["up", "?"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, np.nan], "row 2: the label must be a string or a number, got nan"),
        ([0, np.inf], "row 2: the label must be a string or a number, got inf"),
        ([1j, 2], "row 1: the label must be a string or a number, got 1j"),
        (["a", ""], "row 2: the label is empty"),
        ([b"a", b" "], "row 2: the label is empty"),
        ([b"a", b"\xff"], "row 2: the label b'\\\\xff' is not UTF-8 text"),
        (np.array(["2020", "2021"], "M8[Y]"), "row 1: the label must be a string or a number"),
        (np.array(["a", None], object), "labels holds Python objects"),
        ([["a", "b", "c"]] * 2, "labels"),
    ],
)
@pytest.mark.parametrize("array", ["series", "images"])
def test_labels_of_arrays_that_are_refused(tmp_path, array, labels, message):
    np.savez(tmp_path / "a.npz", **{array: ONE}, labels=labels)
    with pytest.raises(DataError, match=message):
        read_labelled(tmp_path / "a.npz")


def test_labels_of_steps_name_the_step(tmp_path):
    labels = np.array([["a", "b", "c"], ["a", "", "c"]])
    np.savez(tmp_path / "a.npz", series=ONE, labels=labels)
    with pytest.raises(DataError, match="row 2 step 2: the label is empty"):
        read_labelled(tmp_path / "a.npz", aligned=True)
    np.savez(tmp_path / "a.npz", series=ONE, labels=labels, lengths=[3, 1])
    assert read_labelled(tmp_path / "a.npz", aligned=True).labels == [["a", "b", "c"], ["a"]]


def test_bytes_are_texts(tmp_path):
    np.savez(tmp_path / "a.npz", series=ONE, labels=np.array(["é".encode(), b"b "]))
    assert read_labelled(tmp_path / "a.npz").labels == ["é", "b"]


def idx(array, kind):
    return bytes([0, 0, kind, array.ndim]) + struct.pack(
        f">{array.ndim}I", *array.shape
    ) + array.tobytes()  # fmt: skip


def test_labels_of_idx(tmp_path):
    (tmp_path / "IMAGES.IDX3").write_bytes(gzip.compress(idx(np.zeros((2, 3, 3), "u1"), 8)))
    (tmp_path / "LABELS.IDX1").write_bytes(idx(np.array([0, np.nan], ">f4"), 0x0D))
    with pytest.raises(DataError, match="row 2: the label must be a string or a number, got nan"):
        read_images(tmp_path / "IMAGES.IDX3")
    (tmp_path / "LABELS.IDX1").write_bytes(idx(np.array([0, 3], ">i2"), 0x0B))
    assert read_images(tmp_path / "IMAGES.IDX3")[1] == ["0", "3"]


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (0, 2**32 - 1, 2**32 - 1), (2**31, 2, 2)])
def test_idx_of_absurd_shapes(tmp_path, shape):
    (tmp_path / "images.idx").write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", *shape))
    (tmp_path / "labels.idx").write_bytes(idx(np.zeros(2, "u1"), 8))
    with pytest.raises(DataError, match=r"at most 4 GiB|cannot have the shape|is truncated"):
        read_images(tmp_path / "images.idx")


BAD = [np.nan, np.inf, -np.inf, 1e39, -1e39]


@pytest.mark.parametrize("number", BAD)
@pytest.mark.parametrize("kind", ["float64", "float16", "longdouble"])
def test_numbers_that_32_bits_do_not_hold(tmp_path, number, kind):
    values = np.ones((2, 3, 1), kind)
    with np.errstate(over="ignore"):
        values[1, 2] = number
    np.savez(tmp_path / "s.npz", series=values, labels=["a", "b"])
    np.savez(tmp_path / "i.npz", images=values, labels=["a", "b"])
    with pytest.raises(DataError, match=r"s.npz row 2: step 3 has a number that is missing, not"):
        read_labelled(tmp_path / "s.npz")
    with pytest.raises(DataError, match=r"i.npz row 2: a pixel is missing, not finite or above"):
        read_labelled(tmp_path / "i.npz")


@pytest.mark.parametrize("number", ["nan", "inf", "1e39", "?", "", "-1e400"])
@pytest.mark.parametrize("form", ["a.csv", "a.ts"])
def test_numbers_in_text_that_32_bits_do_not_hold(tmp_path, form, number):
    text = {"a.csv": f"series,label,x\na,u,1\na,u,{number}\n", "a.ts": f"@classLabel true\n@data\n"
            f"1,{number}:u\n"}  # fmt: skip
    (tmp_path / form).write_text(text[form])
    with pytest.raises(DataError, match="step 2 has a number that is missing, not finite"):
        read_labelled(tmp_path / form)


@pytest.mark.parametrize("array", ["series", "images"])
def test_arrays_of_complex_numbers_texts_and_dates(tmp_path, array):
    for values in (ONE * 1j, ONE.astype(str), ONE.astype("M8[s]"), np.zeros((2, 3, 1), "V4")):
        np.savez(tmp_path / "a.npz", **{array: values}, labels=["a", "b"])
        with pytest.raises(DataError, match="must be numbers"):
            read_labelled(tmp_path / "a.npz")


def test_the_largest_number_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", series=ONE * np.finfo(np.float32).max, labels=["a", "b"])
    assert read_labelled(tmp_path / "a.npz").labels == ["a", "b"]
    np.savez(tmp_path / "a.npz", images=np.full((2, 3, 3), 2**64 - 1, np.uint64), labels=[0, 1])
    assert read_labelled(tmp_path / "a.npz").labels == ["0", "1"]


@pytest.mark.parametrize("value", [14.62, 1e-3, -7e9, 0.1, 1 / 3, 1e30, 0.0])
@pytest.mark.parametrize("rows", [7, 480, 1_000_000])
def test_a_constant_is_one_whatever_its_number(value, rows):
    values = np.stack([np.full(rows, value), np.linspace(0, 1, rows)], axis=1)
    encoder = SeriesEncoder.build([values])
    assert (encoder.mean[0], encoder.std[0]) == (value, 1)
    assert encoder.std[1] == values.std(axis=0)[1]  # others are as they were, to the last bit
    assert encoder.mean[1] == values.mean(axis=0)[1]
    assert not encoder.encode(values)[:, 0].any()
    shifted = encoder.encode(values + np.array([abs(value) * 1e-7, 0]))[:, 0]
    np.testing.assert_allclose(shifted, abs(value) * 1e-7, rtol=1e-3, atol=1e-30)
    image = np.broadcast_to([value], (4, 5, 1))
    pixels = ImageEncoder.build([image, image])
    assert (pixels.mean[0], pixels.std[0]) == (value, 1)


@pytest.mark.parametrize("values", [[1.7e9, 1.7e9 + 1], [1.0, 1 + 1e-9], [5, 6]])
def test_small_differences_are_told_apart(values):
    column = np.array(values * 50)[:, None]
    assert SeriesEncoder.build([column]).std[0] == column.std()
    encoded = SeriesEncoder.build([column]).encode(column)
    np.testing.assert_allclose(np.abs(encoded), 1, rtol=1e-3)
    assert ImageEncoder.build([column[None]]).std[0] == pytest.approx(column.std(), rel=1e-6)


@pytest.mark.parametrize("values", [[0.1 + 0.2, 0.3], [1e-300, 2e-300]])
def test_rounding_of_the_last_bit_is_no_difference(values):
    column = np.array(values * 20)[:, None]
    assert SeriesEncoder.build([column]).std[0] == 1
    assert ImageEncoder.build([column[None]]).std[0] == 1


def test_a_number_too_far_from_training_names_row_and_step(tmp_path):
    np.savez(tmp_path / "a.npz", series=np.arange(12.0).reshape(4, 3) * 1e-30, labels=[0, 1, 0, 1])
    far = np.zeros((2, 3))
    far[1, 1] = 1e30
    np.savez(tmp_path / "far.npz", series=far, labels=[0, 1])
    with pytest.raises(DataError, match=r"far.npz row 2: step 2 has a number that is too far from"):
        LabelledData.read(tmp_path / "a.npz", val=tmp_path / "far.npz")


HEADERS = {
    "plain": "series,label,x,y", "r": '"series","label","x","y"', "capitals": "Series,LABEL,X,y",
    "blanks": " series , label , x , y ", "bom": "\ufeffseries,label,x,y",
}  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("between", [",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_headers_of_series_tables(tmp_path, header, between, end):
    path = tmp_path / "a.csv"
    text = f"{HEADERS[header]}\na,u,1,2\na,u,3,4\nb,v,5,6\n"
    path.write_bytes(text.replace(",", between).replace("\n", end).encode())
    rows, labels, _ = read_series(path)
    assert form_of(path) == "series"
    assert ([row.tolist() for row in rows], labels) == ([[[1, 2], [3, 4]], [[5, 6]]], ["u", "v"])


@pytest.mark.parametrize("index", ["", '""'])
def test_an_index_without_a_name_is_no_number(tmp_path, index):
    path = tmp_path / "a.csv"
    path.write_text(f"{index},series,label,x\n0,a,u,1\n1,b,v,2\n")
    assert form_of(path) == "series"
    assert [row.tolist() for row in read_series(path)[0]] == [[[1]], [[2]]]


@pytest.mark.parametrize("text", ["series,label,x,x\n", "series,label\n", "series,label,x,X\n"])
def test_headers_that_are_refused(tmp_path, text):
    (tmp_path / "a.csv").write_text(text + "a,u,1,2\n")
    with pytest.raises(DataError, match=r"a.csv row 1: columns must be series, label and at least"):
        read_series(tmp_path / "a.csv")


@pytest.mark.parametrize("line", ["@classLabel", "@CLASSLABEL false", "@targetlabel", "# no", ""])
def test_ts_without_a_declared_label(tmp_path, line):
    (tmp_path / "a.ts").write_text(f"{line}\n@data\n1,2:2,1:up\n")
    with pytest.raises(DataError, match="row 3: ends in 'up', which is not a number; a label"):
        read_series(tmp_path / "a.ts")
    (tmp_path / "a.ts").write_text(f"{line}\n@data\n1,2:2,1\n")
    assert read_series(tmp_path / "a.ts", labelled=False)[1] == []
    with pytest.raises(DataError, match="has no labels: it has no line `@classLabel true`"):
        read_series(tmp_path / "a.ts")


def test_ts_headers_have_any_white_space(tmp_path):
    (tmp_path / "a.ts").write_text("@classLabel\ttrue  up\tdown\n@data\n# rows\n1,2:up\n\n2:down\n")
    assert read_series(tmp_path / "a.ts")[1] == ["up", "down"]
    (tmp_path / "a.ts").write_text("@timeStamps\ttrue\n@data\n")
    with pytest.raises(DataError, match="row 1: time stamps are not supported"):
        read_series(tmp_path / "a.ts")


UCR = {
    "a.tsv": "1\t0.5\t-1e3\tNaN\n2\t4\t5\t6\n", "whole.tsv": "1\t573\t375\tNaN\n2\t4\t5\t6\n",
    "a.txt": "   1.0000000e+00   0.5  -1.0e3\n  2.0000000e+00  4.0  5.5  6.1\n",
    "commas.txt": "1,0.5,-1000.0\n2,4.5,5.5,6.5\n", "A.CSV": "1,0.5,-1000\n2,4,5,6\n",
}  # fmt: skip


@pytest.mark.parametrize("name", UCR)
def test_tables_of_ucr(tmp_path, name):
    (tmp_path / name).write_text(UCR[name])
    assert form_of(tmp_path / name) == "series"
    found = read_labelled(tmp_path / name)
    assert found.labels == ["1", "2"]
    assert [row.shape for row in found.rows] == [(2, 1), (3, 1)]
    with pytest.raises(DataError, match="one label each, so there are no steps to tag"):
        read_labelled(tmp_path / name, aligned=True)


@pytest.mark.parametrize(("name", "text"), [
    ("a.txt", "1 2 3\n0 4 5\n"), ("a.txt", "good 1.5 2.5\n"), ("a.txt", "1 a 2.5\n0 b 3.5\n"),
    ("a.tsv", "label\ttext\n1\t2\n"), ("a.csv", "label,text\n1,2\n"), ("a.txt", ""),
    ("a.tsv", "1\t2\n0\t3\n"), ("a.csv", "text,label\n1.5,2\n"),
])  # fmt: skip
def test_texts_are_no_tables_of_ucr(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert form_of(tmp_path / name) == "text"


def test_numbers_missing_in_a_table_of_ucr(tmp_path):
    (tmp_path / "a.tsv").write_text("1\t0.5\tNaN\t3\n2\t4\t5\t6\n")
    with pytest.raises(DataError, match="row 1: step 2 has a number that is missing"):
        read_labelled(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text("1\tNaN\tNaN\n2\t4\t5\n")
    with pytest.raises(DataError, match="row 1: the series has length 0"):
        read_labelled(tmp_path / "a.tsv")


numbers = st.floats(-1e30, 1e30, allow_nan=False)
letters = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters=":?#"), min_size=1, max_size=5
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.lists(st.tuples(letters, st.lists(numbers, min_size=1, max_size=4)), min_size=1, max_size=5),
    st.sampled_from([",", "\t"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@example([('"', [0.0])], "\t", csv.QUOTE_MINIMAL, "\n", False)
def test_series_are_the_same_in_every_form(
    tmp_path_factory, rows, between, quoting, end, is_packed
):
    path = tmp_path_factory.mktemp("forms")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=between, quoting=quoting, lineterminator=end)
    writer.writerow(["series", "label", "x"])
    writer.writerows([f"s {i}", label, x] for i, (label, xs) in enumerate(rows) for x in xs)
    content = ("\ufeff" + text.getvalue()).encode()
    table = path / ("a.CSV.gz" if is_packed else "a.csv")
    table.write_bytes(gzip.compress(content) if is_packed else content)
    lines = [f"{','.join(map(repr, xs))}:{label}{end}" for label, xs in rows]
    (path / "a.ts").write_bytes(f"@classLabel true{end}@data{end}{''.join(lines)}".encode())
    lengths = [len(xs) for _, xs in rows]
    padded = np.array([xs + [0.0] * (max(lengths) - len(xs)) for _, xs in rows])
    labels = [label for label, _ in rows]
    np.savez(path / "a.npz", series=padded, lengths=lengths, labels=labels)
    for source in (table, path / "a.ts", path / "a.npz"):
        found, found_labels, _ = read_series(source)
        assert [row[:, 0].tolist() for row in found] == [xs for _, xs in rows]
        assert found_labels == labels
