"""Files, folders, names and standard input become pieces of text, or a one-line error."""

import io
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.data import open_sources, read_pieces
from unspool.errors import DataError

BLOCK_BYTES = "unspool.data.text_files._BLOCK_BYTES"
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def read(*names, raw=False):
    with open_sources(names, raw) as sources:
        pieces = list(sources.pieces())
    return (b"" if raw else "").join(pieces), sources


@pytest.fixture
def standard_input(monkeypatch):
    def put(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


@given(text=any_text, block_bytes=st.integers(3, 20), bom=st.booleans())
def test_pieces_join_to_the_file(tmp_path_factory, text, block_bytes, bom):
    path = tmp_path_factory.mktemp("pieces") / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" * bom + text.encode())
    expected = text if bom else text.removeprefix("\ufeff")
    with patch(BLOCK_BYTES, block_bytes):
        assert "".join(read_pieces(path)) == expected


def test_newlines_are_kept(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\r\nb\rc\n")
    assert read(path)[0] == "a\r\nb\rc\n"


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("block_bytes", [3, 4, 5, 7, 100])
@pytest.mark.parametrize(("tail", "at"), [(b"\xff!", 11), (b"\xc3(", 11), (b"\xe2\x82", 11)])
def test_bad_utf8_names_the_byte(tmp_path, bom, block_bytes, tail, at):
    path = tmp_path / "a.txt"
    path.write_bytes(bom + "ünfünfün".encode() + tail)
    message = rf"a\.txt is not UTF-8 text \(bad byte at offset {at + len(bom)}\): convert"
    with patch(BLOCK_BYTES, block_bytes), pytest.raises(DataError, match=message):
        list(read_pieces(path))


def test_binary_is_refused(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc\0def")
    with pytest.raises(DataError, match=r"a\.bin looks binary \(it has NUL characters\)"):
        read(path)


def test_raw_takes_any_bytes(tmp_path):
    path = tmp_path / "a.bin"
    data = b"\xef\xbb\xbf\0\xff\r\n"
    path.write_bytes(data)
    assert read(path, raw=True)[0] == data


@pytest.mark.parametrize("raw", [False, True])
def test_parts_cut_the_text_anywhere(tmp_path, monkeypatch, raw):
    monkeypatch.setattr(BLOCK_BYTES, 3)
    text = "née, été, zürich"
    for name, part in (("a", text[:7]), ("b", text[7:])):
        (tmp_path / name).write_text(part)
    whole = text.encode() if raw else text
    with open_sources([tmp_path / "a", tmp_path / "b"], raw) as sources:
        for start in range(len(whole) + 2):
            for stop in [*range(start, len(whole) + 2), None]:
                assert whole[:0].join(sources.pieces(start, stop)) == whole[start:stop]


def test_files_are_joined_in_the_given_order(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(f"{name} ends without newline")
    text, sources = read(tmp_path / "b", tmp_path / "a")
    assert text == "b ends without newlinea ends without newline"
    assert sources.names == (str(tmp_path / "b"), str(tmp_path / "a"))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    for name in ("b.txt", "a/z.txt", "a/y.txt", ".hidden", ".git/c.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name};")
    (folder / "p.png").write_bytes(b"\x89PNG\0")
    (folder / "latin.txt").write_bytes(b"x" * 5000 + b"\xe9")
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "loop").symlink_to(folder / "loop")
    return folder


def test_folder_is_read_sorted_without_hidden_or_binary_files(folder):
    text, sources = read(folder)
    assert text == "a/y.txt;a/z.txt;b.txt;"
    assert sources.notes == (
        f"{folder}: left out hidden files and folders: 2 (.git, .hidden)",
        f"{folder}: left out dangling links, pipes and devices: 1 (loop)",
        f"{folder}: left out files that are not text: 2 (latin.txt, p.png)",
    )


def test_folder_of_bytes_takes_binary_files(folder):
    data, sources = read(folder, raw=True)
    assert b"\x89PNG\0" in data
    assert b".hidden" not in data
    assert "dangling links, pipes and devices: 1 (loop)" in sources.notes[1]


def test_linked_folder_is_followed(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "link").symlink_to(folder / "a")
    assert "a/y.txt;" in read(other)[0]


@pytest.mark.parametrize("content", [None, b"\0"])
def test_folder_without_text(tmp_path, content):
    if content:
        (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match="has no text files"):
        read(tmp_path)


def test_missing_file_lists_what_can_be_given(tmp_path):
    with pytest.raises(DataError, match=r"nope does not exist: .*stdlib, tiny-shakespeare"):
        read(tmp_path / "nope")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_impossible_names(name):
    with pytest.raises(DataError, match="cannot read "):
        read(name)


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("secret")

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("unspool.files.open_regular", refuse)  # chmod does not stop root
    with pytest.raises(DataError, match=r"cannot read .*a\.txt: Permission denied$"):
        read(path)
    with pytest.raises(DataError, match=r"left out files that cannot be read: 1 \(a\.txt\)"):
        read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_pipes_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="is a pipe or device"):
            read(path)
    with pytest.raises(DataError, match="has no text files"):
        read(tmp_path)


def test_nothing_given():
    with pytest.raises(DataError, match="no text is named"):
        read()


def test_standard_input_can_be_read_twice(standard_input):
    standard_input("naïve\r\n".encode())
    with open_sources(["-"]) as sources:
        assert ["".join(sources.pieces()) for _ in range(2)] == ["naïve\r\n"] * 2
    assert read("-")[0] == "naïve\r\n"  # and by another reader


def test_the_copy_of_standard_input_goes_with_the_process():
    code = "from unspool.data.text_files import standard_input as s; print(s(), s().read_text())"
    done = subprocess.run(
        [sys.executable, "-c", code], input="text", capture_output=True, text=True, check=True
    )
    path, text = done.stdout.split()
    assert text == "text"
    assert not Path(path).parent.exists()


def test_standard_input_only_once(standard_input):
    standard_input(b"abc")
    with pytest.raises(DataError, match=r"'-' .* only once"):
        read("-", "-")


def test_no_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="there is no standard input"):
        read("-")


def test_the_name_of_a_corpus_is_the_corpus_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("stdlib").write_text("mine")
    with open_sources(["stdlib"]) as sources:
        assert len(sources.files) > 10
        assert sources.notes[-1].endswith("for the file or folder of that name write ./stdlib")
    assert read("./stdlib")[0] == read(Path("stdlib"))[0] == "mine"


def test_import_is_light():
    code = "import sys, unspool.data.sources, unspool.data.vocabularies; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    # Without unspool/__init__.py, which brings the whole of the package.
    stub = "import sys, types; m = types.ModuleType('unspool'); m.__path__ = [{!r}]; "
    stub = stub.format(str(Path(__file__).parents[2] / "src" / "unspool"))
    code = stub + "sys.modules['unspool'] = m; " + code
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert not loaded & {"jax", "tokenizers", "platformdirs"}
