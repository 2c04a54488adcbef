"""Units that are on in a span: planted ones are found, with their sign."""

from types import SimpleNamespace

import numpy as np
import pytest

from unspool import LSTM
from unspool.cells import Quantity
from unspool.errors import ConfigError
from unspool.inspection.spans import rank_span, shaded

STEPS = 100


class Planted(SimpleNamespace):
    def __len__(self) -> int:
        return STEPS


@pytest.fixture(scope="module")
def trace() -> Planted:
    """Noise below the threshold; layer 0's cell 3 is +1 in tokens 20..29, layer 1's c 2 is -3."""
    noise = np.random.default_rng(0).uniform(-0.4, 0.4, (2, STEPS, 5)).astype(np.float32)
    noise[0, 20:30, 3] = 1
    noise[1, 20:29, 2] = -3
    layers = [{"h": noise[0]}, {"h": np.ones((STEPS, 5)), "c": noise[1]}]
    return Planted(layers=layers, quantities=[LSTM.quantities()] * 2)


def test_the_planted_cells_come_first(trace):
    first, second, third = rank_span(trace, 20, 29)[:3]
    assert first == (0, 3, 1, 1.0, 0.0)
    assert second == (1, 2, -1, pytest.approx(0.9), 0.0)
    assert third.inside == 0


def test_a_threshold_that_all_cells_pass_tells_nothing(trace):
    assert all(one.inside - one.outside < 1 for one in rank_span(trace, 50, 59, threshold=0.01))


@pytest.mark.parametrize("span", [(-1, 3), (5, 4), (0, STEPS)])
def test_a_span_outside_the_text_is_refused(trace, span):
    with pytest.raises(ConfigError, match="span"):
        rank_span(trace, *span)


@pytest.mark.parametrize("threshold", [0, 1.1, float("nan")])
def test_a_threshold_outside_its_range_is_refused(trace, threshold):
    with pytest.raises(ConfigError, match="threshold"):
        rank_span(trace, 0, 1, threshold)


def test_values_are_shaded_from_end_to_end_of_their_range():
    values = np.array([-3.0, -1, 0, 0.25, 1, 2])
    np.testing.assert_array_equal(
        shaded(values, Quantity("a gate", 0, 1)), [-1, -1, -1, -0.5, 1, 1]
    )
    np.testing.assert_array_equal(shaded(values, Quantity("h")), [-1, -1, 0, 0.25, 1, 1])
    np.testing.assert_array_equal(
        shaded(values, Quantity("a relu", 0, 4)), [-1, -1, -1, -0.875, -0.5, 0]
    )
    np.testing.assert_array_equal(shaded(values, LSTM.state_names["c"]), np.tanh(values))
