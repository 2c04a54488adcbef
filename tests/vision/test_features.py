"""The cache of features: computed once, again where damaged or asked of other weights."""

import equinox as eqx
import jax
import numpy as np
import pytest

from unspool.errors import ConfigError, DataError
from unspool.vision.conv import Conv
from unspool.vision.efficientnet import EfficientNetLite0
from unspool.vision.features import FeatureCache, extract, weights_hash

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
