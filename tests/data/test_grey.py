"""Images as probabilities, and the zeros and ones that are drawn from them."""

import json

import numpy as np
import pytest

from unspool import DataError, RunError
from unspool.data import GreyEncoder, binarised, load_encoder

BYTES = np.array([[[0], [51]], [[102], [255]]], np.uint8)


@pytest.mark.parametrize(
    ("image", "white"),
    [
        (BYTES, 255), (BYTES // 2, 255), (BYTES // 255, 1), (BYTES / 255, 1), (BYTES * 0.0, 1),
        (BYTES / 255 * 16, 16), (BYTES.astype(bool), 1),
    ],
)  # fmt: skip
def test_white(image, white):
    assert GreyEncoder.build([image]).white == white


def test_a_pixel_is_a_probability_row_by_row():
    image = np.stack([BYTES[..., 0], BYTES[..., 0].T], axis=-1)
    found = GreyEncoder.build([image]).encode(image)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0, 0, 0.2, 0.4], [0.4, 0.2, 1, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (BYTES[:1], "images must be 2x2, as in training, got 1x2"),
        (BYTES - 1.0, "pixels must be from 0 .black. to 255 .white, as in training., got -1"),
        (BYTES + 1.0, "to 255 .white, as in training., got 256"),
        (BYTES * np.nan, "got nan"),
    ],
)
def test_other_images_are_refused(image, message):
    with pytest.raises(DataError, match=message):
        GreyEncoder.build([BYTES]).encode(image)


def test_an_encoder_is_its_description(tmp_path):
    encoder = GreyEncoder((2, 2, 1), 16.0)
    described = json.loads(json.dumps(encoder.describe()))
    assert load_encoder(described, tmp_path) == encoder
    for change in ({"white": 0}, {"white": "x"}, {"white": float("inf")}, {"shape": [2, 2]}):
        with pytest.raises(RunError, match="inputs are not described"):
            load_encoder({**described, **change}, tmp_path)


def test_zeros_and_ones_follow_the_probabilities_and_the_seed():
    p = np.repeat([0.0, 0.2, 0.9, 1.0], 20_000).reshape(4, -1)
    found = binarised(p, seed=0)
    assert set(np.unique(found)) == {0, 1}
    assert found.mean(axis=1) == pytest.approx(p[:, 0], abs=0.01)
    assert (found[[0, 3]] == [[0], [1]]).all()
    assert np.array_equal(binarised(p, seed=0), found)
    assert not np.array_equal(binarised(p, seed=1), found)
