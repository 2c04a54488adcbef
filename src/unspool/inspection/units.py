"""Find which unit stands for what: score every unit of every layer against every annotation.

Karpathy, Johnson and Fei-Fei 2015, "Visualizing and understanding recurrent networks",
arXiv 1506.02078, found such units by eye.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from .. import library
from ..errors import ConfigError, DataError
from .annotations import Annotation
from .trace import Trace, cell_quantity

SHIFTS = 19  # a unit is above all of them by chance 1 time in 20
UNITS_AT_ONCE = 32  # their float32 numbers at one step fill two cache lines
STEPS_AT_ONCE = 1 << 11  # rows of shifted annotations that stay in a processor's cache
ROWS_AT_ONCE = 320
SMALL_PRODUCT = 1 << 18  # up to this many multiplications OpenBLAS uses the calling thread
SAME = 1e-5  # relative: controls in float32 differ by less


class UnitScore(NamedTuple):
    """How well a unit matches an annotation; `layer` and `unit` are counted from 0.

    `auc` (binary annotations) is the probability that the unit is higher (on its side) where the
    annotation holds than where it does not, equal values counting half; from 0.5, chance, to 1.
    `correlation` (numbers) is Spearman's. `direction` is 1 if the unit is higher where the
    annotation holds (or is greater), -1 if it is lower.

    `control` is the best score of the same kind that any unit of the model reaches on any of N
    shifts of the annotation against the text. `p` is (1 + the shifts on which some unit of the
    model reaches this unit's score) / (1 + N). It accounts for choosing the best of many units, but
    not for many annotations.
    """

    annotation: str
    layer: int
    unit: int
    auc: float | None
    correlation: float | None
    direction: int
    control: float
    p: float

    @property
    def strength(self) -> float:
        """Return 2 auc - 1, or the correlation's magnitude: from 0 to 1, comparable between
        kinds.
        """
        return 2 * self.auc - 1 if self.auc is not None else abs(self.correlation or 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON: `auc` or `correlation`, whichever there is; "cell" is the
        unit.
        """
        named = {"cell" if name == "unit" else name: v for name, v in self._asdict().items()}
        return {name: value for name, value in named.items() if value is not None}


def score_units(
    trace: Trace,
    annotations: Mapping[str, Annotation],
    *,
    quantity: str = "cell",
    shifts: int = SHIFTS,
    seed: int = 0,
    progress: Callable[[int], None] = lambda units: None,
) -> list[UnitScore]:
    """Score every unit against every annotation that is not constant, the best first.

    The scored value is a unit's state after a token: c for an LSTM, h for others; or another
    `quantity` of the trace. A token has the annotation of its last character. Ranks are exact, and
    ties get their mean rank. The order is that of `UnitScore.strength`.

    The control rotates the annotation around the text by `shifts` distances, spread evenly except
    for a random quarter of their spacing (fewer in a text of less than 2 (shifts + 1) tokens). That
    keeps its runs and how often it holds, and breaks only its relation to the text: if there is
    none, and text and states are alike throughout, all positions of the annotation are
    exchangeable, and `p` is at most 1 / (1 + shifts) with exactly that probability (a randomization
    test; Phipson and Smyth 2010, arXiv 1603.05766). Shuffling single values would make chance look
    smaller than it is: a slow unit and an annotation in long runs agree by chance far more often
    than shuffled values do.

    Raises ConfigError if the trace does not have the quantity, DataError if a state is not finite
    or the annotations are of another text.
    """
    tokens = (_of_tokens(trace, one) for one in annotations.values())
    targets = [one for one in tokens if not one.is_constant]
    states = [arrays[_quantity(arrays, quantity)] for arrays in trace.layers]
    groups = [
        (layer, first)
        for layer, values in enumerate(states)
        for first in range(0, values.shape[1], UNITS_AT_ONCE)
    ]
    if not targets:
        return []
    wanted = np.stack([_target(one) for one in targets])
    scales = np.array([_scale(one, wanted[i]) for i, one in enumerate(targets)])
    numbers = np.array([not one.is_binary for one in targets])
    turned = _shifts(len(trace), shifts, seed)
    around = np.concatenate((wanted, wanted), axis=1)

    def score(group: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        layer, first = group
        # Two copies: reading and rotating at once takes three times as long.
        ranks = np.ascontiguousarray(states[layer][:, first : first + UNITS_AT_ONCE])
        ranks = np.ascontiguousarray(ranks.T, np.float32)
        spread = np.array([_rank(own) for own in ranks])[:, None]
        spread[spread == 0] = 1.0  # a constant unit has score 0
        # To Spearman's correlation, or 2 AUC - 1.
        per_rank = np.where(numbers, scales / spread, scales)
        shifted = np.abs(_shifted_products(ranks, around, turned) * per_rank)
        return _products(ranks, wanted) * per_rank, shifted.max(axis=1)

    with ThreadPoolExecutor(library.threads()) as pool:
        parts = []
        for part in pool.map(score, groups):
            parts.append(part)
            progress(UNITS_AT_ONCE * len(parts))
    scores = np.concatenate([part for part, _ in parts])  # (units, annotations)
    controls = np.max([part for _, part in parts], axis=0)  # (shifts, annotations)
    best, p = controls.max(axis=0).tolist(), _p_values(scores, controls)
    units = [(layer, unit) for layer, one in enumerate(states) for unit in range(one.shape[1])]
    made = [
        _unit(one, layer, unit, scores[row, column], best[column], p[row][column])
        for row, (layer, unit) in enumerate(units)
        for column, one in enumerate(targets)
    ]
    return sorted(made, key=lambda one: -one.strength)


def best_units(scores: Iterable[UnitScore], count: int = 1) -> dict[str, list[UnitScore]]:
    """Return the `count` best units of each annotation, ordered by the best."""
    found: dict[str, list[UnitScore]] = {}
    for one in scores:
        rows = found.setdefault(one.annotation, [])
        if len(rows) < count:
            rows.append(one)
    return found


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of finite float32 numbers minus their mean; equal numbers share a mean
    rank.
    """
    values = np.ascontiguousarray(values, np.float32) + np.float32(0)  # -0.0 becomes 0.0
    steps = len(values)
    bits = values.view(np.uint32)
    sign = (bits.view(np.int32) >> 31).view(np.uint32)  # all bits of a negative number
    # The numbers' order as unsigned integers, above their places: sorting one array is several
    # times faster than sorting places by another.
    keys = np.empty(steps, np.uint64)
    place, number = keys.view(np.uint32).reshape(-1, 2).T  # on a little-endian machine
    place[:], number[:] = np.arange(steps, dtype=np.uint32), bits ^ (sign | np.uint32(1 << 31))
    keys.sort()
    order, number = place.astype(np.intp), number.copy()
    if not np.isfinite(values[order[[0, -1]]]).all():
        raise DataError("a state is not a finite number: the run's weights are damaged")
    ordered = np.arange(steps) - (steps - 1) / 2
    same = np.flatnonzero(number[1:] == number[:-1])  # equal to the next
    if len(same):
        _share(ordered, same)
    ranks = np.empty(steps)
    ranks[order] = ordered
    return ranks


def _share(ordered: np.ndarray, same: np.ndarray) -> None:
    """Give each run of equal numbers its mean rank; numbers at `same` equal the next one."""
    begins = np.flatnonzero(np.diff(same, prepend=-2) > 1)
    first, last = same[begins], same[np.append(begins[1:], len(same)) - 1] + 1
    counts = last - first + 1
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ordered[np.repeat(first, counts) + within] = np.repeat(
        (ordered[first] + ordered[last]) / 2, counts
    )


def _of_tokens(trace: Trace, annotation: Annotation) -> Annotation:
    """Return the annotation at each token's last character."""
    if len(annotation.values) != len(trace.text):
        raise DataError(
            f"annotation {annotation.name} must have a value for each of {len(trace.text)} "
            f"characters, got {len(annotation.values)}"
        )
    values = annotation.values[trace.last]
    return Annotation(annotation.name, values, annotation.meaning)


def _quantity(arrays: dict[str, np.ndarray], quantity: str) -> str:
    name = cell_quantity(arrays) if quantity == "cell" else quantity
    if name not in arrays:
        raise ConfigError(f"quantity must be one of {', '.join(arrays)}, got {quantity!r}")
    return name


def _target(annotation: Annotation) -> np.ndarray:
    """Return what the ranks are multiplied by: 0 and 1, so that sums are exact; or other ranks."""
    values = annotation.values
    return (values if annotation.is_binary else centred_ranks(values)).astype(np.float32)


def _scale(annotation: Annotation, target: np.ndarray) -> float:
    if annotation.is_binary:
        # The sum of centred ranks over the n1 places where it holds is n1 n0 (AUC - 1/2).
        held = np.count_nonzero(target)
        return 2 / (held * (len(target) - held))
    return 1 / _size(target)


def _size(ranks: np.ndarray) -> float:
    return float(np.sqrt(np.sum(np.square(ranks, dtype=np.float64))))


def _rank(values: np.ndarray) -> float:
    """Replace values by ranks; float32 holds them exactly up to 2^24 values."""
    values[:] = centred_ranks(values)
    return _size(values)


def _shifts(steps: int, count: int, seed: int) -> np.ndarray:
    """Choose distinct distances from 1 to steps - 1, spread over the text."""
    count = max(1, min(count, steps // 2 - 1))
    near = np.random.default_rng(seed).uniform(-0.25, 0.25, count)
    return np.floor((np.arange(1, count + 1) + near) * steps / (count + 1) + 0.5).astype(int)


def _products(ranks: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Compute ranks @ wanted.T in float64: (units, annotations)."""
    total = np.zeros((len(ranks), len(wanted)))
    for i in range(0, ranks.shape[1], STEPS_AT_ONCE):
        part = slice(i, i + STEPS_AT_ONCE)
        total += _product(ranks[:, part].astype(np.float64), wanted[:, part].astype(np.float64))
    return total


def _shifted_products(ranks: np.ndarray, around: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Compute ranks @ wanted.T with `wanted` moved later by each shift, wrapping around the end.

    `around` is `wanted` twice. The annotations of a few shifts at a time are the rows of one
    product in float32: (shifts, units, annotations).
    """
    most = max(1, ROWS_AT_ONCE // len(around))
    groups = np.split(shifts, range(most, len(shifts), most))
    return np.concatenate([_side_by_side(ranks, around, group) for group in groups])


def _side_by_side(ranks: np.ndarray, around: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    units, steps = ranks.shape
    total = np.zeros((units, len(shifts) * len(around)))
    block = np.empty((len(shifts), len(around), STEPS_AT_ONCE), np.float32)
    for i in range(0, steps, STEPS_AT_ONCE):
        length = min(STEPS_AT_ONCE, steps - i)
        for part, begin in zip(block, steps + i - shifts, strict=True):
            part[:, :length] = around[:, begin : begin + length]
        total += _product(ranks[:, i : i + length], block.reshape(-1, STEPS_AT_ONCE)[:, :length])
    return total.reshape(units, len(shifts), -1).swapaxes(0, 1)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute a @ b.T as a sum of small products.

    OpenBLAS splits a large one over its threads, which then wait for each other: while other
    programs run, that takes up to twenty times as long.
    """
    depth = max(1, SMALL_PRODUCT // (len(a) * len(b)))
    whole = a.shape[1] // depth * depth
    left, right = (x[:, :whole].reshape(len(x), -1, depth).swapaxes(0, 1) for x in (a, b))
    return np.matmul(left, right.mT).sum(axis=0) + a[:, whole:] @ b[:, whole:].T


def _p_values(scores: np.ndarray, controls: np.ndarray) -> list[list[float]]:
    """Return, for each unit and annotation, the share of positions (true one included) that reach
    it.
    """
    reached = controls[:, None] >= (1 - SAME) * np.abs(scores)
    p: list[list[float]] = ((1 + reached.sum(axis=0)) / (1 + len(controls))).tolist()
    return p


def _unit(
    annotation: Annotation, layer: int, unit: int, score: float, control: float, p: float
) -> UnitScore:
    direction = 1 if score >= 0 else -1
    where = annotation.name, layer, unit
    if annotation.is_binary:
        auc = float(0.5 + abs(score) / 2)
        return UnitScore(*where, auc, None, direction, 0.5 + control / 2, p)
    return UnitScore(*where, None, float(score), direction, control, p)
