"""The same pictures and captions by every way in: folder, TAR, any order, any spelling of names."""

import io
import tarfile
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unspool.data import Pictures, match_names, read_captions
from unspool.errors import DataError
from unspool.tasks.caption.gather import gather, prepare_rows, read_given
from unspool.vision.preparation import Preparation

Image = pytest.importorskip("PIL.Image")
NAMES = [
    "b.png",
    "a/c.png",
    "a.png",
    "Screenshot at 9.41.00\u202fAM.png",
    "caf\u00e9.png",
    "[1].png",
]
OWN = Preparation("own", size=8, is_trained=True)


def png(number):
    file = io.BytesIO()
    Image.new("RGB", (9, 11), (20 * number % 256, number % 256, 3)).save(file, "PNG")
    return file.getvalue()


def as_folder(path, files):
    for name, content in files.items():
        (path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "p" / name).write_bytes(content)
    return path / "p"


def as_tar(path, files, packing):
    source = path / f"p.tar{packing and '.'}{packing}"
    with tarfile.open(source, f"w:{packing}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return source


def outcome(source, captions, path):
    """Everything that training takes of pictures and captions."""
    found = gather(source, captions, plain=True)
    rows = prepare_rows(found, OWN, path)
    return found.names, found.captions, found.keys, found.fingerprint(), np.array(rows).tolist()


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
def test_a_tar_in_any_order_is_the_folder(tmp_path, packing):
    files = {name: png(number) for number, name in enumerate(NAMES)}
    captions = tmp_path / "c.tsv"
    captions.write_text("".join(f"{name}\ta picture of {i}\n" for i, name in enumerate(NAMES)))
    wanted = outcome(as_folder(tmp_path, files), captions, tmp_path / "folder.rows")
    assert len(wanted[0]) == len(NAMES)
    assert len({str(row) for row in wanted[-1]}) == len(NAMES)
    for names in (NAMES, NAMES[::-1]):
        tar = as_tar(tmp_path, {name: files[name] for name in names}, packing)
        assert outcome(tar, captions, tmp_path / "tar.rows") == wanted


names = st.lists(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
        .filter(lambda part: part[0] != "." and len(part.encode()) < 200),
        min_size=1, max_size=3,
    ).map("/".join),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(names, st.sampled_from(["", "gz", "bz2", "xz"]), st.randoms(use_true_random=False))
def test_a_folder_and_its_tar_have_the_same_files(tmp_path_factory, names, packing, random):
    path = tmp_path_factory.mktemp("same")
    files = {name: str(i).encode() for i, name in enumerate(names)}
    try:
        folder = as_folder(path, files)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return  # a file and a folder of one name
    random.shuffle(names)
    tar = as_tar(path, {name: files[name] for name in names}, packing)
    assert dict(Pictures(folder).contents()) == dict(Pictures(tar).contents()) == files


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_names_match_in_every_normal_form(tmp_path, forms):
    ours, theirs = (
        [unicodedata.normalize(form, f"d/{name}.png") for name in ("café", "Müller", "한글")]
        for form in forms
    )
    assert match_names(ours, theirs) == dict(zip(ours, theirs, strict=True))
    bases = [name.removeprefix("d/") for name in theirs]
    assert match_names(ours, bases) == dict(zip(ours, bases, strict=True))
    np.savez(tmp_path / "f.npz", names=ours, features=np.ones((3, 4), np.float32))
    (tmp_path / "c.tsv").write_text("".join(f"{name}\ta b\n" for name in theirs))
    assert gather(tmp_path / "f.npz", tmp_path / "c.tsv", plain=True).names == ours


def test_two_spellings_of_a_name_are_two_names_where_both_are_there():
    composed, apart = "caf\u00e9.png", "cafe\u0301.png"
    both = [composed, apart]
    assert match_names(both, both) == {composed: composed, apart: apart}
    assert match_names(both, [apart]) == {apart: apart}  # not the other one too
    assert match_names([composed], both) == {composed: composed}
    assert match_names(["x/" + composed], both) == {}


TABLES = {
    "r.csv": '"image","caption"\n"a.png","a dog, ""Rex"""\n"b.png","two dogs"\n',
    "index.csv": ',image,caption\n0,a.png,"a dog, ""Rex"""\n1,b.png,two dogs\n',
    "kaggle.txt": 'image,caption\na.png,"a dog, ""Rex"""\nb.png,two dogs\n',
    "r.tsv": '"file_name"\t"caption"\n"a.png"\t"a dog, ""Rex"""\n"b.png"\t"two dogs"\n',
    "T.TSV": 'File\tCaptions\na.png\ta dog, "Rex"\nb.png\ttwo dogs\n',
    "tabs.csv": 'image\tcaption\na.png\ta dog, "Rex"\nb.png\ttwo dogs\n',
    "plain.tsv": 'a.png\ta dog, "Rex"\nb.png\ttwo dogs\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_captions_are_read_from_any_table(tmp_path, name):
    (tmp_path / name).write_text(TABLES[name])
    found = read_captions(tmp_path / name)
    assert found == {"a.png": ['a dog, "Rex"'], "b.png": ["two dogs"]}


@pytest.mark.parametrize("name", ["[2021] trip.jpg", "{a}.jpg", "[1]", "{}", "[[.jpg"])
def test_names_that_begin_like_json(tmp_path, name):
    (tmp_path / "c.tsv").write_text(f"{name}\ta beach\nb.jpg\ta dog\n")
    assert read_captions(tmp_path / "c.tsv") == {name: ["a beach"], "b.jpg": ["a dog"]}


@pytest.mark.parametrize("text", ['{"images": [', "[1]", '{\t"images": [], "annotations": []}'])
def test_json_that_is_wrong_is_json_still(tmp_path, text):
    (tmp_path / "c").write_text(text)
    with pytest.raises(DataError, match=r"is not JSON|has no key `images`|has no captions"):
        read_captions(tmp_path / "c")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": ["a"], "features": [[np.nan]]}, "features of 'a' are not finite numbers"),
        ({"names": ["a"], "features": [[1e39]]}, "features of 'a' are not finite numbers"),
        ({"names": [b"\xff"], "features": [[1.0]]}, "an array of different strings"),
        ({"names": ["a", "a"], "features": [[1.0]] * 2}, "an array of different strings"),
        ({"names": [None], "features": [[1.0]]}, "names holds Python objects"),
        ({"names": ["a"], "features": [[1j]]}, "must be floating-point numbers"),
        ({"names": ["a"]}, "got one without features"),
    ],
)
def test_features_that_are_refused(tmp_path, arrays, message):
    arrays = {name: np.array(value) for name, value in arrays.items()}
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(DataError) as error:
        read_given(tmp_path / "f.npz")
    assert message in str(error.value)


def test_names_of_features_may_be_bytes(tmp_path):
    np.savez(tmp_path / "F.NPZ", names=["é".encode(), b"b"], features=np.ones((2, 3)))
    (tmp_path / "F.NPZ.npz").rename(tmp_path / "F.NPZ")
    assert read_given(tmp_path / "F.NPZ")[0] == ["é", "b"]
    (tmp_path / "c.tsv").write_text("é\tx\nb\ty\n")
    assert gather(tmp_path / "F.NPZ", tmp_path / "c.tsv", plain=True).captions == [["x"], ["y"]]
