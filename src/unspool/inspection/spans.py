"""Find units that are on in a span of a text and off elsewhere."""

from typing import NamedTuple

import numpy as np

from ..cells import Quantity
from ..errors import ConfigError
from .trace import Trace, cell_quantity


class SpanUnit(NamedTuple):
    """A unit (layer and number from 0), and the shares of steps in which it is on.

    `sign` is -1 for a unit that counts as on while it is negative.
    """

    layer: int
    unit: int
    sign: int
    inside: float
    outside: float


def rank_span(
    trace: Trace, first: int, last: int, threshold: float = 0.5, most: int = 50
) -> list[SpanUnit]:
    """Rank the units that distinguish tokens first..last from the others by inside - outside.

    A unit is on if its value times its sign in the span is at least `threshold`; the value is h, or
    tanh(c) for an LSTM, both within -1 and 1. After the selection of Strobelt et al. 2018 (LSTMVis,
    arXiv 1606.07461). Raises ConfigError if the span is outside the text.
    """
    if not 0 <= first <= last < len(trace):
        raise ConfigError(f"the span must be within 0 and {len(trace) - 1}, got {first} to {last}")
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold must be above 0 and at most 1, got {threshold}")
    found = []
    for number, layer in enumerate(trace.layers):
        name = cell_quantity(layer)
        values = shaded(layer[name], trace.quantities[number][name])
        signs = np.where(values[first : last + 1].mean(axis=0) < 0, -1, 1)
        on = values * signs >= threshold
        within = on[first : last + 1].sum(axis=0)
        inside = within / (last - first + 1)
        outside = (on.sum(axis=0) - within) / max(1, len(values) - (last - first + 1))
        parts = zip(signs.tolist(), inside.tolist(), outside.tolist(), strict=True)
        found += [SpanUnit(number, unit, *part) for unit, part in enumerate(parts)]
    return sorted(found, key=lambda one: one.outside - one.inside)[:most]


def shaded(values: np.ndarray, quantity: Quantity) -> np.ndarray:
    """A quantity's values from -1 at one end of its range to 1 at the other, or their tanh."""
    if not quantity.is_bounded:
        return np.tanh(values)
    middle, half = (quantity.low + quantity.high) / 2, (quantity.high - quantity.low) / 2
    return np.clip((values - middle) / half, -1, 1)
