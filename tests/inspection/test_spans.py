"""Units that are on in a span: planted ones are found, with their sign."""

from types import SimpleNamespace

import numpy as np
import pytest

from unspool.errors import ConfigError
from unspool.inspection.spans import rank_span

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
    return Planted(layers=[{"h": noise[0]}, {"h": np.ones((STEPS, 5)), "c": noise[1]}])


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
