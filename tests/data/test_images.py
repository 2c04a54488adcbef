"""Images from IDX files, .npz and scikit-learn, as sequences; and faulty ones."""

import gzip
import sys

import numpy as np
import pytest

from unspool import ConfigError
from unspool.data import ImageEncoder, LabelledData, form_of, load_encoder, read_images
from unspool.errors import DataError

IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
LABELS = np.array([7, 0, 7, 1], np.uint8)
NAME, LABELS_NAME = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array, code=0x08):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    """Write an images file and its labels; returns the path of the first."""

    def write(images=None, labels=None, name=NAME, labels_name=LABELS_NAME):
        for given, default, to in ((images, IMAGES, name), (labels, LABELS, labels_name)):
            content = idx(default) if given is None else given
            (tmp_path / to).write_bytes(gzip.compress(content) if to.endswith(".gz") else content)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "labels_name"),
    [
        (NAME, LABELS_NAME),
        (f"{NAME}.gz", f"{LABELS_NAME}.gz"),
        (f"{NAME}.gz", LABELS_NAME),
        (NAME, f"{LABELS_NAME}.gz"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("images.idx", "labels.idx"),
    ],
)
def test_idx(mnist, name, labels_name):
    path = mnist(name=name, labels_name=labels_name)
    assert form_of(path) == "images"
    images, labels, where = read_images(path)
    assert np.array_equal(np.stack(images), IMAGES[..., None])
    assert (labels, where[1]) == (["7", "0", "7", "1"], f"{path} row 2")


def test_idx_of_other_numbers(mnist):
    values = np.linspace(0, 1, 24).reshape(4, 2, 3)
    images, _, _ = read_images(mnist(images=idx(values.astype(">f4"), 0x0D)))
    np.testing.assert_allclose(np.stack(images)[..., 0], values, rtol=1e-6)


def test_labels_may_be_missing_where_none_are_needed(mnist):
    path = mnist()
    path.with_name(LABELS_NAME).unlink()
    assert read_images(path, labelled=False)[1] == []


def test_npz(tmp_path):
    colours = np.zeros((4, 2, 3, 3))
    np.savez(tmp_path / "a.npz", images=colours, labels=["u", "v", "u", "v"])
    assert form_of(tmp_path / "a.npz") == "images"
    images, labels, _ = read_images(tmp_path / "a.npz")
    assert images[0].shape == (2, 3, 3)
    assert labels == ["u", "v", "u", "v"]


def test_digits():
    pytest.importorskip("sklearn")
    data = LabelledData.read("sklearn:digits", val_fraction=0.2, seed=3)
    assert data.labels == tuple("0123456789")
    assert (data.train.values.shape[1], len(data.train.lengths)) == (8, 1438)
    shares = np.bincount(data.val.targets) / np.bincount(data.train.targets)
    assert shares == pytest.approx(np.full(10, 0.25), abs=0.01)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"pip install 'unspool\[digits\]'"):
        read_images("sklearn:digits")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (b"", None, f"{NAME}: the magic number of IDX images must be 0x00000803 or 0x00000804 "
         "(or another type of number), got an empty file"),
        (idx(LABELS), None, "must be 0x00000803 or 0x00000804 (or another type of number), "
         "got 0x00000801"),
        (b"hello", None, "got 0x68656c6c"),
        (idx(IMAGES)[:-1], None, f"{NAME} is truncated: its header announces 4 images, it ends in "
         "row 4"),
        (idx(IMAGES)[:9], None, f"{NAME} is truncated"),
        (idx(IMAGES) + b"x", None, f"{NAME} has more than the 4 images that its header"),
        (idx(IMAGES[:, :, :0]), None, "images must be numbers (B, H, W) or (B, H, W, C), got uint8 "
         "of shape (4, 2, 0, 1)"),
        (None, idx(LABELS[:3]), f"{NAME} has 4 images, but labels of shape (3,)"),
        (None, idx(IMAGES), f"{LABELS_NAME}: the magic number of IDX labels must be 0x00000801 "),
        (None, idx(LABELS)[:-2], f"{LABELS_NAME} is truncated: its header announces 4 labels, it "
         "ends in row 3"),
    ],
)  # fmt: skip
def test_damaged_idx(mnist, images, labels, message):
    with pytest.raises(DataError) as error:
        read_images(mnist(images, labels))
    assert message in str(error.value)


def test_missing_labels_and_names(mnist):
    path = mnist()
    path.with_name(LABELS_NAME).unlink()
    with pytest.raises(DataError, match=f"searched for {LABELS_NAME} and {LABELS_NAME}.gz"):
        read_images(path)
    with pytest.raises(DataError, match="its name must have `images`"):
        read_images(path.rename(path.with_name("digits-idx3-ubyte")))
    with pytest.raises(DataError, match="does not exist"):
        read_images(path)


def test_damaged_gzip(mnist):
    path = mnist(name=f"{NAME}.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="is truncated: its compressed data has no end"):
        read_images(path)
    path.write_bytes(b"not compressed")
    with pytest.raises(DataError, match="the magic number of IDX images must be"):
        read_images(path)
    mnist(name=NAME).rename(path)  # as some programs unpack what they download
    assert len(read_images(path)[0]) == 4


BROKEN = np.where(np.arange(24).reshape(4, 2, 3) == 13, np.nan, 1.0)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "a.npz has no labels"),
        ({"images": BROKEN, "labels": LABELS}, "a.npz row 3: a pixel is missing, not finite"),
        ({"images": LABELS, "labels": LABELS}, "images must be numbers (B, H, W) or (B, H, W, C)"),
        ({"images": IMAGES.astype(str), "labels": LABELS}, "images must be numbers"),
        ({"images": IMAGES, "labels": LABELS[:1]}, "has 4 images, but labels of shape (1,)"),
        ({"images": IMAGES, "labels": LABELS * 0}, "all 4 sequences have the label '0'"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "has no labelled sequences"),
    ],
)
def test_bad_arrays(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as error:
        LabelledData.read(tmp_path / "a.npz", val=tmp_path / "a.npz")
    assert message in str(error.value)


def test_the_held_out_images_must_fit(tmp_path, mnist):
    train = mnist()
    np.savez(tmp_path / "large.npz", images=np.zeros((2, 4, 4)), labels=[7, 0])
    with pytest.raises(DataError, match=r"large.npz row 1: images must be 2x3, as in tra.*got 4x4"):
        LabelledData.read(train, val=tmp_path / "large.npz")
    np.savez(tmp_path / "other.npz", images=IMAGES, labels=[7, 0, 7, 9])
    with pytest.raises(DataError, match=r"other.npz row 4: the label '9' is not one of the run's"):
        LabelledData.read(train, val=tmp_path / "other.npz")
    with pytest.raises(DataError, match="one label each, so there are no steps to tag"):
        LabelledData.read(train, aligned=True)


IMAGE = np.arange(3 * 5 * 2).reshape(3, 5, 2)


def encoder(layout, patch=4):
    return ImageEncoder((3, 5, 2), np.zeros(2), np.ones(2), layout, patch)


def test_rows_and_columns():
    rows, columns = encoder("rows"), encoder("columns")
    assert rows.encode(IMAGE)[1].tolist() == IMAGE[1].ravel().tolist()
    assert columns.encode(IMAGE)[1].tolist() == IMAGE[:, 1].ravel().tolist()
    assert (rows.width, columns.width) == (10, 6)


def test_patches_in_reading_order_with_zeros_over_the_edges():
    found = encoder("patches", 2).encode(IMAGE)
    assert found.shape == (6, encoder("patches", 2).width) == (6, 8)
    assert found[1].tolist() == IMAGE[:2, 2:4].ravel().tolist()
    assert found[5].reshape(2, 2, 2).tolist() == [[IMAGE[2, 4].tolist(), [0, 0]], [[0, 0], [0, 0]]]


def test_pixels_are_normalised_by_channel():
    images = list(np.random.default_rng(0).normal([3, -4], [5, 0.1], (50, 4, 4, 2)))
    built = ImageEncoder.build(images)
    encoded = np.stack([built.encode(image) for image in images]).reshape(-1, 2)
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(encoded.std(axis=0), 1, atol=1e-5)
    assert not ImageEncoder.build([np.full((2, 2, 1), 9)]).encode(np.full((2, 2, 1), 9)).any()


def test_a_description_loads_the_same_encoder(tmp_path):
    built = ImageEncoder.build([IMAGE.astype(np.uint8)], "patches", 3)
    again = load_encoder(built.describe(), tmp_path)
    assert again.describe() == built.describe()
    assert np.array_equal(again.encode(IMAGE), built.encode(IMAGE))


@pytest.mark.parametrize(
    ("layout", "patch", "message"),
    [
        ("spiral", 4, "image must be one of rows, columns, patches, got 'spiral'"),
        ("patches", 4, "patch must be from 1 to the images' size, 3x5x2, got 4"),
    ],
)
def test_wrong_layouts(layout, patch, message):
    with pytest.raises(ConfigError) as error:
        ImageEncoder.build([IMAGE], layout, patch)
    assert message in str(error.value)
