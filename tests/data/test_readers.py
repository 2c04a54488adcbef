"""How readers decide what a file is: nothing is swallowed, and no form is taken for another."""

import gzip
import io
import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool import files
from unspool.data import (
    LabelledData,
    PairData,
    held_out,
    open_sources,
    read_labelled,
    read_lines,
    read_parallel,
    read_sentences,
    read_unlabelled,
)
from unspool.data.folders import walk_files
from unspool.data.left_out import LeftOut
from unspool.errors import DataError

LABELS = ["neg", "pos"]
CONLLU = "1\tThe\tthe\tDET\tDT\t_\t2\tdet\t_\t_\n2\tdog\tdog\tNOUN\tNN\t_\t0\troot\t_\t_\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def standard_input(monkeypatch):
    def put(text):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


@pytest.mark.parametrize(
    "lines", [["text", "foo"], ["The label, text, and so on", "second"], ["text\tof mine", "a\tb"]]
)
def test_a_first_line_like_any_other_is_a_text(write, lines):
    path = write("l.txt", "\n".join(lines) + "\n")
    assert read_unlabelled(path, LABELS).rows == lines


def test_a_table_without_a_column_of_texts_is_refused(write):
    with pytest.raises(DataError, match="row 1: the columns must be named, `text`, got review, s"):
        read_unlabelled(write("r.csv", "review,sentiment\nnice,pos\n"), LABELS)


def test_words_with_tags_are_a_text_to_classify(write):
    path = write("a.conllu", CONLLU + "\n" + CONLLU)
    assert read_unlabelled(path, LABELS)[:2] == (["The dog", "The dog"], [None, None])
    assert read_unlabelled(path, [], aligned=True).labels == [["DET", "NOUN"]] * 2


def test_folders_of_training_are_recognised_whatever_else_is_there(write, tmp_path):
    for name in ("lines/pos.txt", "lines/neg.txt", "lines/README.txt"):
        write(name, "one\ntwo\n")
    found = read_unlabelled(tmp_path / "lines", LABELS)
    assert found[:2] == read_labelled(tmp_path / "lines")[:2]
    assert found.labels == ["neg", "neg", "pos", "pos"]
    for name in ("texts/pos/1", "texts/neg/1", "texts/unsup/1"):
        write(name, "one\ntwo\n")
    found = read_unlabelled(tmp_path / "texts", LABELS)
    assert found[:2] == (["one\ntwo\n"] * 3, ["neg", "pos", "unsup"])


@pytest.mark.parametrize(
    ("text", "aligned"),
    [
        ("pos\ta\nneg\tb\nnew\tc\n", False),
        ("pos a\nneg b\n" * 9 + "new c\n", False),
        ("The\tNOUN\n%\tSYM\n", True),
        ("dog NOUN\n" * 19 + "% SYM\n", True),
    ],
)
def test_one_unknown_label_does_not_make_labels_a_part_of_texts(write, text, aligned):
    path = write("t.txt", text)
    found = read_unlabelled(path, [*LABELS, "NOUN"], aligned=aligned)
    assert found[:2] == read_labelled(path, aligned=aligned)[:2]
    assert found.notes[0].startswith(f"{path}: read as lines `")


def test_lines_of_a_text_that_begin_like_labels(write):
    for text in ("neg is short\nit is\n", "pos one\npos two\n", "one two\n" * 20 + "pos one\n"):
        assert read_unlabelled(write("t.txt", text), LABELS).rows == text.splitlines()


def test_a_word_may_be_a_no_break_space(write):
    path = write("t.txt", "a\tX\n\u00a0\tY \n b \tX\n")
    found = read_labelled(path, aligned=True)
    assert (found.rows, found.labels) == ([["a", "\u00a0", "b"]], [["X", "Y", "X"]])


@given(
    tags=st.lists(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=3), max_size=8),
    seed=st.integers(0, 99),
)
def test_something_is_held_out_whenever_training_can_do_without_it(tags, seed):
    def is_spare(i):
        rest = {tag for j, other in enumerate(tags) if j != i for tag in other}
        return rest.issuperset(tags[i])

    if any(map(is_spare, range(len(tags)))):
        train, val = held_out(tags, 0.1, seed)
        assert {tag for i in val for tag in tags[i]} <= {tag for i in train for tag in tags[i]}
        assert len(val) == 1
    else:
        with pytest.raises(DataError, match="can be held out"):
            held_out(tags, 0.1, seed)


def test_what_is_there_unpacked_and_packed_is_there_once(write, tmp_path):
    write("a.txt", "text")
    for name in ("a.txt.gz", "b.txt.gz"):
        (tmp_path / name).write_bytes(gzip.compress(name.encode()))
    left_out = LeftOut()
    assert [path.name for path in walk_files(tmp_path, left_out)] == ["a.txt", "b.txt.gz"]
    assert left_out.notes() == ["compressed files that are also there unpacked: 1 (a.txt.gz)"]
    with open_sources([tmp_path]) as sources:
        assert "".join(sources.pieces()) == "textb.txt.gz"


def test_a_small_file_does_not_unpack_to_a_large_text(tmp_path, monkeypatch):
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress(b"x" * 3_000_000))
    assert len(read_lines(path)[0]) == 3_000_000
    monkeypatch.setattr("unspool.data.text_files.UNPACKED_ANYWAY_BYTES", 1 << 20)
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        read_lines(path)


def test_what_cannot_be_read_is_not_called_binary(write, tmp_path, monkeypatch):
    write("a.txt", "text")
    write("b.txt", "text")

    open_regular = files.open_regular

    def refuse(path):
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return open_regular(path)

    monkeypatch.setattr("unspool.files.open_regular", refuse)
    with open_sources([tmp_path]) as sources:
        assert sources.notes == (f"{tmp_path}: left out files that cannot be read: 1 (a.txt)",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
@pytest.mark.parametrize("read", [read_labelled, read_parallel, read_sentences, read_lines])
def test_pipes_are_refused_without_waiting(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    done = []

    def attempt():
        with pytest.raises(DataError, match="is a pipe or device: save it as a file or pipe it"):
            read(tmp_path / "pipe")
        done.append(True)

    threading.Thread(target=attempt, daemon=True).start()
    deadline = time.monotonic() + 20
    while not done and time.monotonic() < deadline:
        time.sleep(0.01)
    assert done


def test_sentences_by_every_way_in(write, tmp_path, standard_input):
    lines = ["in", "", "out"]
    path = write("folder/s.txt", "in\n\nout\n")
    standard_input("in\n\nout\n")
    for source in (path, tmp_path / "folder", "-"):
        assert read_sentences(source) == (lines, [None] * 3, ())
    with pytest.raises(DataError, match=r"no\.txt does not exist: name a file"):
        read_sentences(tmp_path / "no.txt")


def test_pairs_to_translate_are_their_sources(write):
    path = write("p.tsv", "in\thinein\n\nout\thinaus\n")
    lines, references, notes = read_sentences(path)
    assert (lines, references) == (["in", "", "out"], ["hinein", "", "hinaus"])
    assert notes == (f"{path}: read as lines SOURCE<TAB>TARGET, since every line has one tab",)
    assert read_sentences(write("t.txt", "a\tb\nc\n"))[0] == ["a\tb", "c"]


def test_standard_input_is_training_data_too(write, standard_input):
    text = "".join(f"x one two {i}\ny three four {i}\n" for i in range(5))
    standard_input(text)
    data = LabelledData.read("-")
    assert data.fingerprint() == LabelledData.read(write("l.txt", text)).fingerprint()
    held = LabelledData.read(write("l.txt", text), val="-")
    assert len(held.val.lengths) == 10
    pairs = "".join(f"in {i}\tout {i}\n" for i in range(30))
    standard_input(pairs)
    read = PairData.read("-", tokens="char")
    assert read.fingerprint() == PairData.read(write("p", pairs), tokens="char").fingerprint()
    for twice in (lambda: LabelledData.read("-", val="-"), lambda: read_parallel("-", "-")):
        with pytest.raises(DataError, match=r"'-' \(standard input\) can be named only once"):
            twice()


def test_errors_in_standard_input_name_it(standard_input):
    standard_input("x one\ny\n")
    with pytest.raises(DataError, match=r"^standard input row 2: the text is empty"):
        read_labelled("-")
    standard_input("a\tb\tc\n")
    with pytest.raises(DataError, match=r"^standard input line 1: must be SOURCE"):
        read_parallel("-")


def test_texts_of_several_lines_are_counted(write):
    rows = [f"{LABELS[i % 2]},a film {i}" for i in range(20)]
    rows[3] = rows[3].replace(",", ',"')
    rows[12] += '"'  # the quote of row 5 ends here: ten rows are one
    found = read_labelled(write("t.csv", "\n".join(["label,text", *rows])))
    assert len(found.rows) == 11
    assert found.notes == (f"1 texts span several lines, between quotes: {found.where[3]}",)


def test_fields_of_any_use_fit(write, monkeypatch):
    monkeypatch.setattr("unspool.data.tables.MAX_FIELD_CHARS", 99)
    with pytest.raises(DataError, match="row 3: a field has more than"):
        read_labelled(write("t.csv", f"label,text\nx,y\nx,{'y' * 100}\n"))


cells = st.text(st.sampled_from("ab é\"',;ß"), min_size=1).filter(lambda cell: cell.strip())
table = st.lists(st.tuples(st.sampled_from(LABELS), cells), min_size=1, max_size=6)


@given(rows=table, mark=st.booleans(), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_table_is_the_same_with_tabs_and_commas_and_as_lines(tmp_path_factory, rows, mark, end):
    folder = tmp_path_factory.mktemp("table")
    mark = "\ufeff" * mark
    tsv = ["label\ttext", *map("\t".join, rows)]
    csv = ["label,text", *('{},"{}"'.format(x, t.replace('"', '""')) for x, t in rows)]
    lines = [f"{label}\t{text}" for label, text in rows]
    for name, content in (("a.tsv", tsv), ("a.csv", csv), ("a.txt", lines)):
        path = folder / name
        path.write_text(mark + end.join([*content, ""]), newline="")
        strip = str.strip if name == "a.txt" else str
        wanted = ([strip(text) for _, text in rows], [label for label, _ in rows])
        assert read_labelled(path)[:2] == wanted
        assert read_unlabelled(path, LABELS)[:2] == wanted


texts = st.dictionaries(
    st.tuples(
        st.sampled_from(["pos", "neg", ".git", "a b"]),
        st.lists(st.sampled_from(["1", "2021", ".x", "é.txt"]), min_size=1, max_size=3),
    ).map(lambda parts: "/".join([parts[0], *parts[1]])),
    st.sampled_from(["one", "two\nlines", "\x00", ""]),
    min_size=1,
    max_size=8,
)


@given(tree=texts)
def test_folders_of_classes_are_read_as_a_simple_model_has_them(tmp_path_factory, tree):
    root, made = tmp_path_factory.mktemp("classes"), {}
    for name, text in tree.items():
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        except OSError:  # a folder has the name, or a file that of its folder
            continue
        made[name] = text
    visible = {
        name: text for name, text in made.items()
        if not any(part.startswith(".") for part in name.split("/")) and "\0" not in text
    }  # fmt: skip
    wanted = [(visible[name], name.split("/")[0]) for name in sorted(visible, key=parts_of)]
    if not wanted or any(not text for text, _ in wanted):
        with pytest.raises(DataError):
            read_labelled(root)
    else:
        found = read_labelled(root)
        assert list(zip(found.rows, found.labels, strict=True)) == wanted
        binary = sum("\0" in text for name, text in made.items() if "/." not in f"/{name}")
        assert (f"files that are not text: {binary}" in str(found.notes)) == (binary > 0)


def parts_of(name):
    return name.split("/")


@pytest.fixture
def seconds():
    def seconds(work):
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            work()
            best = min(best, time.process_time() - began)
        return best

    return seconds


def make_folder(path, count):
    path.mkdir()
    for i in range(count):
        (path / f"{i:06}.txt").write_text(f"entry {i}\n")


def read_folder(path):
    with open_sources([path]) as sources:
        return len(sources.files)


def make_pairs(path, count):
    # Every second pair has an empty side, and is told.
    path.write_text("".join(f"a{i % 50} b\t{'c' * (i % 2)}\n" for i in range(count)))


def make_table(path, count):
    path.write_text("label,text\n" + "".join(f'{LABELS[i % 2]},"text {i}"\n' for i in range(count)))


@pytest.mark.parametrize(
    ("make", "read", "count"),
    [
        (make_folder, read_folder, 1_000),
        (make_pairs, lambda path: PairData.read(path, tokens="word"), 4_000),
        (make_table, lambda path: LabelledData.read(path.with_suffix(".csv")), 4_000),
    ],
)
def test_time_grows_with_the_data_and_not_with_its_square(tmp_path, seconds, make, read, count):
    """Eight times the data takes 8 times as long, and 64 times where it is its square."""
    taken = []
    for times in (1, 8):
        path = tmp_path / f"{times}.csv"
        make(path, times * count)
        taken.append(seconds(lambda path=path: read(path)))
    assert taken[1] < 16 * taken[0]
