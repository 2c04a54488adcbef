"""The cache of features: computed once, again if damaged or for other weights."""

import json
import os
import zlib

import equinox as eqx
import jax
import numpy as np
import pytest

from unspool.data import form_of, read_images, read_labelled
from unspool.errors import ConfigError, DataError, RunError, UnspoolError
from unspool.interop.torch_weights import read_torch_weights
from unspool.tasks.caption.gather import read_given
from unspool.vision.conv import Conv
from unspool.vision.efficientnet import EfficientNetLite0
from unspool.vision.features import FeatureCache, extract, read_features, weights_hash
from unspool.vision.preparation import open_rows

pytest.importorskip("PIL")
KEYS = [f"key{i}" for i in range(5)]


@pytest.fixture(scope="module")
def net() -> EfficientNetLite0:
    """The real class with no blocks: quick to compile."""
    key = jax.random.key(0)
    stem = Conv.create(3, 4, key, kernel=3, stride=32)
    return EfficientNetLite0(stem, (), Conv.create(4, 6, key), np.zeros((1, 6)), np.zeros(1))


def picture(i: int) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 256, (30 + i, 40, 3), np.uint8)


def fill(cache: FeatureCache, keys: list[str]) -> list[str]:
    """Fills the cache; the keys whose pictures were read."""
    read = []

    def get(i: int) -> np.ndarray:
        read.append(keys[i])
        return picture(int(keys[i][3:]))

    list(cache.fill(keys, get, batch=2))
    return read


def test_a_stream_in_batches(net):
    found = [*extract(net, map(picture, range(5)), "grid", batch=2)]
    assert [len(group) for group in found] == [2, 2, 1]
    alone = [next(extract(net, [picture(i)], "grid", batch=2)) for i in range(5)]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(alone))
    assert [*extract(net, [], "grid", batch=2)] == []
    with pytest.raises(ConfigError, match="batch"):
        next(extract(net, [], batch=0))


def test_filled_once(net, tmp_path):
    cache = FeatureCache(tmp_path / "f", net, "grid")
    assert cache.load(KEYS) is None
    assert [*cache.fill(KEYS, lambda i: picture(i), batch=2)] == [2, 4, 5]
    wanted = np.concatenate([*extract(net, map(picture, range(5)), "grid", batch=2)])
    rows = cache.load(KEYS)
    assert isinstance(rows, np.memmap)
    np.testing.assert_array_equal(rows, wanted.astype(np.float16))
    assert fill(cache, KEYS) == []
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_rows_are_taken_by_key(net, tmp_path):
    cache = FeatureCache(tmp_path / "f", net)
    assert fill(cache, KEYS[:3]) == KEYS[:3]
    before = np.array(cache.load(KEYS[:3]))
    assert cache.load(KEYS[:2]) is None
    mixed = ["key2", "key4", "key0", "key2"]
    assert fill(cache, mixed) == ["key4"]
    rows = cache.load(mixed)
    np.testing.assert_array_equal(rows[[0, 2, 3]], before[[2, 0, 2]])
    assert fill(cache, []) == []
    assert len(cache.load([])) == 0


def test_other_weights_layers_and_margins_are_other_features(net, tmp_path):
    fill(FeatureCache(tmp_path / "f", net), KEYS)
    other = eqx.tree_at(lambda n: n.head.b, net, net.head.b.at[3].add(1e-6))
    assert weights_hash(other) != weights_hash(net)
    for cache in (
        FeatureCache(tmp_path / "f", other),
        FeatureCache(tmp_path / "f", net, "grid320"),
        FeatureCache(tmp_path / "f", net, margin=0),
    ):
        assert cache.load(KEYS) is None
    assert fill(FeatureCache(tmp_path / "f", net, margin=0), KEYS) == KEYS


def test_damage_is_found_and_repaired(net, tmp_path):
    path = tmp_path / "f"
    cache = FeatureCache(path, net)
    fill(cache, KEYS)
    whole, rows = path.read_bytes(), np.array(cache.load(KEYS))
    for at in (*range(40), 4096, 4100, 4096 + 2 * 12 + 1, len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert cache.load(KEYS) is None
    assert fill(cache, KEYS) == ["key4"]  # the last change was to one row's checksum
    np.testing.assert_array_equal(cache.load(KEYS), rows)
    for size in (0, 10, 100, 4096, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert cache.load(KEYS) is None
    assert fill(cache, KEYS) == KEYS
    assert path.read_bytes() == whole


def test_a_picture_that_fails_leaves_the_old_file(net, tmp_path):
    cache = FeatureCache(tmp_path / "f", net)
    fill(cache, KEYS[:2])

    def broken(i: int) -> np.ndarray:
        raise DataError("picture 3 is broken")

    with pytest.raises(DataError, match="picture 3"):
        list(cache.fill(KEYS, broken))
    started = cache.fill(KEYS, lambda i: picture(i), batch=2)
    next(started)
    started.close()
    assert cache.load(KEYS[:2]) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


HEADERS = [
    b"[]", b"7", b"null", b'"keys"', b"{}", b"{", b"\xff", b"[" * 100_000, b"9" * 5000,
    *(
        json.dumps({"keys": keys, "shape": shape}).encode()
        for keys, shape in [
            ([], 7), (7, []), ([7], []), ([], [2]), ([], [-1]), ([], ["a"]), ([], [1.5]),
            (["a"], [0]), (["a"], [2**62, 4]), (["a"], [1, 1, 1, 1]), (["a"], [2**31 - 1] * 3),
        ]
    ),
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_headers_of_another_kind(net, tmp_path, header):
    path = tmp_path / "f"
    sizes = len(header).to_bytes(8, "little") + zlib.crc32(header).to_bytes(8, "little")
    path.write_bytes(b"UNSPFEA1" + sizes + header + bytes(8192))
    with pytest.raises(RunError, match=r"is missing or damaged|is damaged"):
        read_features(path)
    with pytest.raises(RunError, match=r"is missing or damaged|is damaged"):
        open_rows(path)
    cache = FeatureCache(path, net, "grid")
    assert cache.load(KEYS) is None
    assert fill(cache, KEYS) == KEYS  # it is written again


def test_pictures_are_asked_for_in_their_order(net, tmp_path):
    one, other = (FeatureCache(tmp_path / name, net, "grid") for name in "ab")
    fill(one, KEYS)
    asked = []

    def read(i):
        asked.append(i)
        return picture(i)

    list(other.fill(KEYS, read, batch=2, order=[3, 0, 4, 1, 2]))
    assert asked == [3, 0, 4, 1, 2]
    np.testing.assert_array_equal(other.load(KEYS), one.load(KEYS))


@pytest.mark.parametrize("rows", [np.array(["a"]), np.ones(3), np.ones((2, 2), complex)])
def test_rows_of_another_kind(tmp_path, rows):
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(RunError, match="is damaged"):
        open_rows(tmp_path / "a.npy")


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for read in (open_rows, read_torch_weights, read_given, read_images, read_labelled):
        with pytest.raises(UnspoolError, match=r"regular file|is damaged"):
            read(tmp_path / "pipe.npz")
    assert form_of(tmp_path / "pipe.npz") == "series"  # without waiting for a writer
