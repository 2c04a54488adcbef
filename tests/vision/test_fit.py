"""Pictures of any size into squares."""

import sys

import numpy as np
import pytest

from unspool.errors import ConfigError, DataError
from unspool.vision.resize import fit

Image = pytest.importorskip("PIL.Image")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_the_middle_is_cut_without_resampling():
    picture = noise(256, 256, 3)
    np.testing.assert_array_equal(fit(picture), picture[16:240, 16:240])
    np.testing.assert_array_equal(fit(picture[:224, :224], margin=0), picture[:224, :224])
    wide = noise(40, 100, 3)
    np.testing.assert_array_equal(fit(wide, 32, 8), wide[4:36, 34:66])
    np.testing.assert_array_equal(fit(wide.swapaxes(0, 1), 32, 8), wide.swapaxes(0, 1)[34:66, 4:36])


def test_scaling_then_cutting_is_the_same():
    y, x = np.mgrid[:300, :400]  # smooth: what lies outside the cut touches its rim alone
    picture = np.stack([y / 300, x / 400, np.cos(y / 60) * np.sin(x / 70) / 2 + 0.5], -1)
    picture = np.uint8(255 * picture)
    scaled = Image.fromarray(picture).resize((64, 48), Image.Resampling.BICUBIC)
    wanted = np.asarray(scaled)[8:40, 16:48]
    assert np.abs(fit(picture, 32, 16).astype(int) - wanted)[1:-1, 1:-1].max() <= 2


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (3000, 2, 3), (17, 600, 3)])
def test_any_size_fits(shape):
    picture = np.full(shape, 77, np.uint8)
    np.testing.assert_array_equal(fit(picture), np.full((224, 224, 3), 77))


@pytest.mark.parametrize(
    "picture",
    [noise(8, 8), noise(8, 8, 4), noise(0, 8, 3), np.zeros((8, 8, 3)), noise(2, 8, 8, 3)],
)
def test_what_is_no_rgb_picture_is_refused(picture):
    with pytest.raises(DataError, match="must be uint8 of shape"):
        fit(picture)


def test_sizes_and_missing_pillow(monkeypatch):
    for size, margin in ((0, 0), (8, -1)):
        with pytest.raises(ConfigError, match="at least"):
            fit(noise(8, 8, 3), size, margin)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigError, match=r"pip install 'unspool\[vision\]'"):
        fit(noise(8, 8, 3))
