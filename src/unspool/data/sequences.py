"""Sequences of unequal length: end to end in one array, and in padded batches of similar ones."""

from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import files
from ..errors import ConfigError, DataError, RunError
from .arrays import array_names, read_arrays
from .draws import raw_draws

PADDING = 0.10  # share of padded time steps that `bucket_bounds` accepts
MOST_BUCKETS = 10
_MOST_LENGTHS = 200  # distinct lengths that the search for bounds considers


def power_of_two(number: int) -> int:
    """Round up to a power of two: few sizes mean few compiled programs."""
    return 1 << (number - 1).bit_length()


class Batch(NamedTuple):
    """B padded sequences: `inputs` (B, T) ids, (B, T, K) ids or (B, T, D) numbers; `targets` (B,)
    or (B, T); `lengths` (B,), 0 in rows that only fill up the batch.
    """

    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray


class Sequences(NamedTuple):
    """N sequences end to end: `values` (sum of lengths, ...), and targets, one per sequence (N,) or
    one per step (sum of lengths,).
    """

    values: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    aligned: bool  # one target per step

    @classmethod
    def join(cls, rows: list[np.ndarray], targets: list[Any], aligned: bool = False) -> "Sequences":
        """Join a list of arrays (T, ...) and a list of targets (numbers, or arrays (T,))."""
        lengths = np.array([len(row) for row in rows], np.int32)
        flat = np.concatenate(targets) if aligned else np.asarray(targets)
        return cls(np.concatenate(rows), lengths, flat.astype(np.int32), aligned)

    def padded(self, rows: np.ndarray, steps: int) -> Batch:
        """Return these rows, padded with zeros to `steps`; row -1 is all padding."""
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = np.where(rows < 0, 0, self.lengths[rows]).astype(np.int32)
        live = np.arange(steps) < lengths[:, None]
        where = np.where(live, starts[rows][:, None] + np.arange(steps), 0)
        targets = np.where(live, self.targets[where], 0) if self.aligned else self.targets[rows]
        inputs = self.values[where]
        inputs[~live] = 0
        return Batch(inputs, targets, lengths)

    def split(self) -> list[np.ndarray]:
        """Return the values of each sequence."""
        return np.split(self.values, np.cumsum(self.lengths)[:-1])

    def contents(self) -> Iterator[bytes]:
        """Yield the values of each sequence as bytes, equal for equal values."""
        ends = np.cumsum(self.lengths, dtype=np.int64).tolist()
        return (
            self.values[begin:end].tobytes() for begin, end in zip([0, *ends], ends, strict=False)
        )

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything."""
        digest = sha256(str(self.aligned).encode())
        for array in self[:3]:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def save_sequences(path: Path, **parts: Sequences) -> None:
    """Write named sequences to one .npz file, atomically."""
    arrays: dict[str, Any] = {
        f"{name}.{field}": np.asarray(value)
        for name, part in parts.items()
        for field, value in part._asdict().items()
    }
    with files.atomic_writer(path) as file:
        np.savez(file, **arrays)


def load_sequences(path: Path) -> dict[str, Sequences]:
    """Undo `save_sequences`. Raises RunError if the file is missing or damaged."""
    if not path.exists():
        raise RunError(f"{path} does not exist")
    try:
        arrays = read_arrays(path, array_names(path))
        names = dict.fromkeys(name.split(".")[0] for name in arrays)
        return {
            name: _whole(
                Sequences(
                    arrays[f"{name}.values"],
                    arrays[f"{name}.lengths"],
                    arrays[f"{name}.targets"],
                    aligned=bool(arrays[f"{name}.aligned"]),
                )
            )
            for name in names
        }
    except (DataError, ValueError, KeyError) as error:
        raise RunError(f"{path} is damaged or not readable: {error}") from error


def _whole(read: Sequences) -> Sequences:
    """Return the sequences if their arrays match. Raises ValueError if not."""
    values, lengths, targets, aligned = read
    kinds = (values.dtype.kind in "iuf", lengths.dtype.kind in "iu", targets.dtype.kind in "iu")
    shapes = (values.ndim >= 1, lengths.ndim == 1, targets.ndim == 1)
    if not all(kinds + shapes) or lengths.min(initial=0) < 0:
        raise ValueError("its arrays have other types")
    steps = int(lengths.sum(dtype=np.float64))
    if len(values) != steps or len(targets) != (steps if aligned else len(lengths)):
        raise ValueError("its lengths do not match its values")
    return read


class Buckets:
    """Decide which sequences form batch number `position`, from (seed, position) alone.

    Every epoch shuffles the sequences, cuts each bucket of similar lengths into batches of `batch`
    rows, and shuffles the batches. Rows that do not fill a batch move to the bucket of the next
    length; at the end, empty rows (number -1) fill up the last batch.
    """

    def __init__(self, lengths: np.ndarray, batch: int, seed: int = 0) -> None:
        if batch < 1:
            raise ConfigError(f"batch must be at least 1, got {batch}")
        self.lengths, self.batch, self.seed = lengths, min(batch, len(lengths)), seed
        self.bounds = bucket_bounds(lengths)
        self.per_epoch = -(-len(lengths) // self.batch)
        self._epoch: tuple[int, list[tuple[np.ndarray, int]]] = (-1, [])

    def rows(self, position: int) -> tuple[np.ndarray, int]:
        """Return the numbers of the rows, and the length to pad them to."""
        epoch, index = divmod(position, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._plan(epoch))
        return self._epoch[1][index]

    @cached_property
    def padding(self) -> float:
        """Return the share of padding among the time steps of the first epoch."""
        steps = sum(steps for _, steps in self._plan(0)) * self.batch
        return 1 - float(self.lengths.sum()) / steps

    def _plan(self, epoch: int) -> list[tuple[np.ndarray, int]]:
        draw = raw_draws(self.seed, epoch)
        order = np.argsort(draw(len(self.lengths)), kind="stable")
        bucket = np.searchsorted(self.bounds, self.lengths[order])
        batches, rest = [], order[:0]
        for number, bound in enumerate(self.bounds):
            rows = np.concatenate([rest, order[bucket == number]])
            whole = len(rows) // self.batch * self.batch
            rest = rows[whole:]
            batches += [(part, bound) for part in rows[:whole].reshape(-1, self.batch)]
        if len(rest):
            empty = np.full(self.batch - len(rest), -1)
            batches.append((np.concatenate([rest, empty]), self.bounds[-1]))
        return [batches[i] for i in np.argsort(draw(len(batches)), kind="stable")]


def in_order_of_length(lengths: np.ndarray, batch: int = 256) -> Iterator[tuple[np.ndarray, int]]:
    """Yield row numbers in batches of `batch`, shortest first, and the length to pad each batch to;
    -1 fills up the last batch.
    """
    bounds = bucket_bounds(lengths)
    order = np.argsort(lengths, kind="stable")
    batch = min(batch, len(order))
    for begin in range(0, len(order), batch):
        rows = order[begin : begin + batch]
        steps = bounds[int(np.searchsorted(bounds, lengths[rows[-1]]))]
        yield np.concatenate([rows, np.full(batch - len(rows), -1)]), steps


def bucket_bounds(lengths: np.ndarray, most: int = MOST_BUCKETS) -> tuple[int, ...]:
    """Choose the fewest lengths to pad to, at most `most`, that keep padding under 10 %.

    Among sets of equally many bounds, the one with the least padding, by dynamic programming: the
    best cover of the shortest j lengths by k bounds extends a best cover of fewer lengths by k - 1.
    That is O(k n^2) for n distinct lengths, so longer lists are rounded up to _MOST_LENGTHS first.
    """
    stride = -(-len(np.unique(lengths)) // _MOST_LENGTHS)
    rounded = -(-lengths // stride) * stride
    rounded = np.minimum(rounded, lengths.max())
    unique, counts = np.unique(rounded, return_counts=True)
    real = np.bincount(np.searchsorted(unique, rounded), lengths)
    count, total = (np.concatenate([[0], np.cumsum(x)]) for x in (counts, real))
    # waste[i, j]: padding if lengths i to j - 1 are padded to the longest of them, infinite unless
    # i < j. With prefix sums of counts and steps it is (rows in the bucket) * longest - real steps.
    longest = np.concatenate([[0], unique])
    waste = (count[None] - count[:, None]) * longest[None] - (total[None] - total[:, None])
    waste = np.where(np.tri(len(longest), k=0, dtype=bool), np.inf, waste)
    # best[j]: the least padding of the shortest j lengths with len(choices) + 1 bounds; choice[j]
    # is where the last bucket of that cover begins. total[-1] is the number of real steps.
    best, choices = waste[0], list[np.ndarray]()
    while best[-1] > PADDING * (best[-1] + total[-1]) and len(choices) < most - 1:
        extended = best[:, None] + waste
        choices.append(np.argmin(extended, axis=0))
        best = np.min(extended, axis=0)
    ends, end = [len(unique)], len(unique)  # walk back from the longest length
    for choice in reversed(choices):
        end = int(choice[end])
        ends.append(end)
    return tuple(int(longest[end]) for end in reversed(ends))
