"""Which cell stands for what: every cell of every layer against every annotation.

Karpathy, Johnson and Fei-Fei 2015, "Visualizing and understanding recurrent networks",
arXiv 1506.02078, found such cells by eye.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from .. import library
from ..errors import ConfigError, DataError
from .annotations import Annotation
from .trace import Trace, cell_quantity

CONTROLS = 3  # shifted texts
CELLS_AT_ONCE = 16  # their float32 numbers at one step fill a cache line
STEPS_AT_ONCE = 1 << 12  # float64 ranks of so many steps stay in a processor's cache


class UnitScore(NamedTuple):
    """How well one cell tells an annotation; `layer` and `cell` are counted from 0.

    `auc` (binary annotations) is the probability that the cell is further on its side where the
    annotation holds than where it does not, equal values counting half; from 0.5, chance, to 1.
    `correlation` (numbers) is Spearman's. `direction` is 1 where the cell is higher where the
    annotation holds (or is greater), -1 where it is lower. `control` is the best score, of the
    same kind, that any cell of the model reaches where the annotation is shifted against the
    text: what chance gives the best of so many cells.
    """

    annotation: str
    layer: int
    cell: int
    auc: float | None
    correlation: float | None
    direction: int
    control: float

    @property
    def strength(self) -> float:
        """From 0 to 1, comparable between kinds: 2 auc - 1, or the correlation's magnitude."""
        return 2 * self.auc - 1 if self.auc is not None else abs(self.correlation or 0.0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `auc` or `correlation`, whichever there is."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def score_units(
    trace: Trace,
    annotations: Mapping[str, Annotation],
    *,
    quantity: str = "cell",
    seed: int = 0,
    progress: Callable[[int], None] = lambda cells: None,
) -> list[UnitScore]:
    """Score every cell against every annotation that is not constant, the best first.

    The scored value is what a cell holds after a token: c of an LSTM, h of others; or another
    `quantity` of the trace. A token has the annotation of its last character. Ranks are exact,
    ties have the mean of theirs. The order is that of `UnitScore.strength`.

    The control shifts the annotation around the text, three times by a random part of it between
    a quarter and three quarters. That keeps its runs and how often it holds and breaks only the
    tie to the text. Single shuffled values would make chance look smaller than it is: a slow cell
    and an annotation in long runs agree by chance far more often than shuffled values do.

    Raises ConfigError for a quantity that the trace has not, DataError for a state that is not
    finite or annotations of another text.
    """
    tokens = (_of_tokens(trace, one) for one in annotations.values())
    targets = [one for one in tokens if not one.is_constant]
    states = [arrays[_quantity(arrays, quantity)] for arrays in trace.layers]
    groups = [
        (layer, first)
        for layer, values in enumerate(states)
        for first in range(0, values.shape[1], CELLS_AT_ONCE)
    ]
    if not targets:
        return []
    wanted = np.stack([_target(one) for one in targets], axis=1)
    scales = np.array([_scale(one, wanted[:, i]) for i, one in enumerate(targets)])
    numbers = np.array([not one.is_binary for one in targets])
    shifts = _shifts(len(trace), seed)

    def score(group: tuple[int, int]) -> np.ndarray:
        layer, first = group
        # Two copies: to read and to turn at once takes three times as long.
        values = np.ascontiguousarray(states[layer][:, first : first + CELLS_AT_ONCE])
        values = np.ascontiguousarray(values.T)
        ranks = np.empty(values.shape)
        for cell, own in enumerate(values):
            ranks[cell] = centred_ranks(own)
        spread = np.sqrt(np.einsum("ct,ct->c", ranks, ranks))[:, None]
        spread[spread == 0] = 1.0  # a cell that never moves has all scores 0
        made = np.stack([_product(ranks, wanted, shift) for shift in (0, *shifts)]) * scales
        return np.where(numbers, made / spread, made)  # 2 AUC - 1, or Spearman's correlation

    with ThreadPoolExecutor(library.threads()) as pool:
        parts = []
        for part in pool.map(score, groups):
            parts.append(part)
            progress(CELLS_AT_ONCE * len(parts))
    scores = np.concatenate(parts, axis=1)  # (1 + controls, cells, annotations)
    control = np.abs(scores[1:]).max(axis=(0, 1))
    cells = [(layer, cell) for layer, one in enumerate(states) for cell in range(one.shape[1])]
    made = [
        _unit(one, layer, cell, scores[0, row, column], control[column])
        for row, (layer, cell) in enumerate(cells)
        for column, one in enumerate(targets)
    ]
    return sorted(made, key=lambda one: -one.strength)


def best_units(scores: Iterable[UnitScore], count: int = 1) -> dict[str, list[UnitScore]]:
    """The `count` best cells of each annotation, in the order of the best."""
    found: dict[str, list[UnitScore]] = {}
    for one in scores:
        rows = found.setdefault(one.annotation, [])
        if len(rows) < count:
            rows.append(one)
    return found


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """The ranks of finite float32 numbers less their mean; equal numbers share a mean rank."""
    values = np.ascontiguousarray(values, np.float32) + np.float32(0)  # -0.0 becomes 0.0
    steps = len(values)
    bits = values.view(np.uint32)
    sign = (bits.view(np.int32) >> 31).view(np.uint32)  # all bits of a negative number
    # The numbers' order as unsigned integers, above their places: sorting one array is several
    # times faster than sorting places by another.
    keys = np.empty(steps, np.uint64)
    place, number = keys.view(np.uint32).reshape(-1, 2).T  # of a little-endian machine
    place[:], number[:] = np.arange(steps, dtype=np.uint32), bits ^ (sign | np.uint32(1 << 31))
    keys.sort()
    order, number = place.astype(np.intp), number.copy()
    if not np.isfinite(values[order[[0, -1]]]).all():
        raise DataError("a state is not a finite number: the run's weights are damaged")
    ordered = np.arange(steps) - (steps - 1) / 2
    same = np.flatnonzero(number[1:] == number[:-1])  # as the next
    if len(same):
        _share(ordered, same)
    ranks = np.empty(steps)
    ranks[order] = ordered
    return ranks


def _share(ordered: np.ndarray, same: np.ndarray) -> None:
    """Give all of a run of equal numbers the mean of their ranks; `same` are equal to the next."""
    begins = np.flatnonzero(np.diff(same, prepend=-2) > 1)
    first, last = same[begins], same[np.append(begins[1:], len(same)) - 1] + 1
    counts = last - first + 1
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ordered[np.repeat(first, counts) + within] = np.repeat(
        (ordered[first] + ordered[last]) / 2, counts
    )


def _of_tokens(trace: Trace, annotation: Annotation) -> Annotation:
    """The annotation at each token's last character."""
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
    """What the ranks are multiplied by: 0 and 1, so that their sums are exact; or other ranks."""
    values = annotation.values
    return values.astype(np.float64) if annotation.is_binary else centred_ranks(values)


def _scale(annotation: Annotation, target: np.ndarray) -> float:
    if annotation.is_binary:
        # The sum of centred ranks over the n1 places where it holds is n1 n0 (AUC - 1/2).
        held = int(target.sum())
        return 2 / (held * (len(target) - held))
    return float(1 / np.sqrt(np.sum(target * target)))


def _shifts(steps: int, seed: int) -> list[int]:
    quarter = steps // 4
    return [
        int(i) for i in np.random.default_rng(seed).integers(quarter, steps - quarter, CONTROLS)
    ]


def _product(ranks: np.ndarray, wanted: np.ndarray, shift: int) -> np.ndarray:
    """ranks @ wanted, with the targets moved `shift` steps later and around the end."""
    steps = len(wanted)
    total = np.zeros((len(ranks), wanted.shape[1]))
    for start, stop, back in ((shift, steps, shift), (0, shift, shift - steps)):
        for i in range(start, stop, STEPS_AT_ONCE):
            j = min(i + STEPS_AT_ONCE, stop)
            total += ranks[:, i:j] @ wanted[i - back : j - back]
    return total


def _unit(annotation: Annotation, layer: int, cell: int, score: float, control: float) -> UnitScore:
    direction = 1 if score >= 0 else -1
    if annotation.is_binary:
        auc, best = 0.5 + abs(score) / 2, 0.5 + control / 2
        return UnitScore(annotation.name, layer, cell, float(auc), None, direction, float(best))
    return UnitScore(annotation.name, layer, cell, None, float(score), direction, float(control))
