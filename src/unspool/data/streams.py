"""Token ids in memory-mapped files, and the batches that are read from them.

Truncated backpropagation through time reads a text in B lanes side by side, a chunk of T
steps at a time; a caller carries its state from chunk to chunk.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, DataError, RunError
from ..files import atomic_writer
from .draws import raw_draws
from .vocab import Ids, Pieces, Tokens, Vocabulary

Weights: TypeAlias = npt.NDArray[np.float32]

_CHUNKS_BETWEEN_RELEASES = 64  # a release costs half a millisecond, so not at every chunk


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """Return the smallest little-endian unsigned type for the ids 0 to `vocab_size - 1`."""
    bits = 8 if vocab_size <= 1 << 8 else 16 if vocab_size <= 1 << 16 else 32
    return np.dtype(f"<u{bits // 8}")


def write_tokens(pieces: Pieces, vocab: Vocabulary, path: Path) -> int:
    """Encode a text that comes in pieces into a flat file of ids; return how many.

    Takes one pass and constant memory; the file appears completely or not at all.
    """
    dtype, count = token_dtype(len(vocab)), 0
    with atomic_writer(path) as file:
        for ids in vocab.encode_pieces(pieces):
            file.write(ids.astype(dtype).tobytes())
            count += len(ids)
    return count


def open_tokens(path: Path, vocab_size: int) -> Tokens:
    """Memory-map what `write_tokens` wrote, read-only, shape (N,).

    Raises `RunError` if the file is missing or empty, or does not hold whole ids. Ids are not
    checked against `vocab_size` here: `Text.open` checks the file's SHA-256.
    """
    dtype = token_dtype(vocab_size)
    try:
        size = Path(path).stat().st_size
        if size == 0 or size % dtype.itemsize:
            raise RunError(
                f"{path} is damaged: it must hold ids of {dtype.itemsize} bytes, has {size} bytes"
            )
        return np.memmap(path, dtype, mode="r")
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error


class Chunk(NamedTuple):
    """T steps of B lanes; `targets` are `inputs` one token later, both int32 (B, T).

    `is_epoch_start` (a boolean array of shape ()) says that the lanes start again, so that a
    carried state has to be reset.
    """

    inputs: Ids
    targets: Ids
    is_epoch_start: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lanes:
    """Training chunks: a text of N tokens as `batch` contiguous lanes, `steps` at a time.

    An epoch has `chunks_per_epoch = ceil((N - 1) / (batch * steps))` chunks, so that every token
    but the first is a target at least once. Lane b begins b lanes after the epoch's start, a random
    position of the text for each epoch; the text's last target is followed by its first. So no
    position is trained on more often than another, except by chance: the `surplus` targets that
    fill the last chunk are read twice, different ones in each epoch. Everything follows from (seed,
    position), so that a run resumes from an integer. Raises `DataError` if the text is too short
    for one chunk.
    """

    tokens: Tokens
    batch: int
    steps: int
    seed: int = 0

    def __post_init__(self) -> None:
        _check_at_least(1, batch=self.batch, steps=self.steps)
        _check_at_least(0, seed=self.seed)
        if len(self.tokens) - 1 < self.batch * self.steps:
            raise DataError(
                f"the text must have more than batch * steps = {self.batch} * {self.steps} "
                f"tokens, got {len(self.tokens)}",
                "use a longer text",
                {"batch": "lower {}", "steps_per_chunk": "lower {}"},
            )

    @property
    def chunks_per_epoch(self) -> int:
        """Return how many chunks one pass over the text has."""
        return -(-self._targets // (self.batch * self.steps))

    @property
    def surplus(self) -> int:
        """Return how many targets are read twice in an epoch."""
        return self.batch * self.steps * self.chunks_per_epoch - self._targets

    @property
    def _targets(self) -> int:
        return len(self.tokens) - 1

    def epoch_start(self, epoch: int) -> int:
        """Return the position of an epoch's first input."""
        return int(raw_draws(self.seed, epoch)(1)[0]) % self._targets

    def chunk(self, position: int) -> Chunk:
        """Return chunk number `position`, counted from 0 over all epochs."""
        _check_at_least(0, position=position)
        epoch, index = divmod(position, self.chunks_per_epoch)
        lane_length = self.chunks_per_epoch * self.steps
        starts = self.epoch_start(epoch) + lane_length * np.arange(self.batch) + index * self.steps
        places = (starts[:, None] + np.arange(self.steps)) % self._targets
        inputs, targets = _copy(self.tokens, places), _copy(self.tokens, places + 1)
        if index % _CHUNKS_BETWEEN_RELEASES == 0:
            _release_pages(self.tokens)
        return Chunk(inputs, targets, np.asarray(index == 0))


def evaluation_chunks(
    tokens: Tokens, batch: int, steps: int, context: int
) -> Iterator[tuple[Ids, Ids, Weights]]:
    """Yield (inputs, targets, weights), each (B, T), that score every token but the first once.

    The state is carried from chunk to chunk, starting from a new one. Weights are 1 if a target
    counts, and 0 for padding and for the `context` tokens that each lane but the first reads before
    its own, to warm up the state. All chunks have the same shape; B is `batch`, or less if the text
    has fewer tokens. Raises `DataError` if there are fewer than 2 tokens.
    """
    _check_at_least(1, batch=batch, steps=steps)
    _check_at_least(0, context=context)
    total = _pairs(tokens)
    lanes, context = min(batch, total), min(context, total - 1)
    # Lane b reads the pairs from b * stride on and scores all but the first `context`, which
    # lane b - 1 scores; lane 0 scores these too. Hence length + (lanes - 1) * stride >= total.
    shortest = -(-(total + (lanes - 1) * context) // lanes)
    length = -(-shortest // steps) * steps
    starts = (length - context) * np.arange(lanes)
    for first in range(0, length, steps):
        offsets = np.arange(first, first + steps)
        pairs = starts[:, None] + offsets
        scored = (offsets >= context) | (starts[:, None] == 0)
        weights = (scored & (pairs < total)).astype(np.float32)
        pairs = np.minimum(pairs, total - 1)
        yield _copy(tokens, pairs), _copy(tokens, pairs + 1), weights
        if first // steps % _CHUNKS_BETWEEN_RELEASES == 0:
            _release_pages(tokens)


def evaluation_windows(
    tokens: Tokens, window: int, batch: int, steps: int
) -> Iterator[Iterator[tuple[Ids, Ids, Weights]]]:
    """Yield passes of chunks (inputs, targets, weights); a new state starts each pass.

    Each row of a pass is a window: its inputs are `window` tokens, its targets the same one token
    later, and the next window's inputs start at its last target. So every token but the first is
    scored once, with 1 to `window` tokens of context. A pass has `batch` windows, fewer if the
    text is short, in chunks of at most `steps` time steps; weights are 0 for padding. All chunks
    have the same shape. Raises `DataError` if there are fewer than 2 tokens.
    """
    _check_at_least(1, window=window, batch=batch, steps=steps)
    total = _pairs(tokens)
    window = min(window, total)
    batch = min(batch, -(-total // window))
    steps = -(-window // -(-window // steps))  # chunks of the same length, with little padding
    for first in range(0, total, batch * window):
        yield _window_chunks(tokens, first + window * np.arange(batch), window, steps)


def _window_chunks(
    tokens: Tokens, starts: npt.NDArray[np.intp], window: int, steps: int
) -> Iterator[tuple[Ids, Ids, Weights]]:
    total = _pairs(tokens)
    for first in range(0, window, steps):
        offsets = np.arange(first, first + steps)
        pairs = starts[:, None] + offsets
        weights = ((offsets < window) & (pairs < total)).astype(np.float32)
        pairs = np.minimum(pairs, total - 1)
        yield _copy(tokens, pairs), _copy(tokens, pairs + 1), weights
    _release_pages(tokens)


def _pairs(tokens: Tokens) -> int:
    """Count the pairs of an input and its target in a text to evaluate."""
    if len(tokens) < 2:
        raise DataError(f"a text to evaluate must have at least 2 tokens, got {len(tokens)}")
    return len(tokens) - 1


def _copy(tokens: Tokens, where: npt.NDArray[np.intp]) -> Ids:
    return np.asarray(tokens[where], np.int32)


def _release_pages(tokens: Tokens) -> None:
    """Release the pages of the file that were read.

    They count as memory of the process, and over an epoch they would be the whole text. The
    operating system keeps them in its cache.
    """
    mapping = getattr(tokens, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def _check_at_least(least: int, **arguments: int) -> None:
    for name, value in arguments.items():
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, got {value}")
