"""Encode texts, words, series of numbers and images as inputs of a network."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

import numpy as np

from ..errors import ConfigError, DataError, RunError
from ..limits import MAX_SIZE
from .arrays import fits_32_bits
from .grey import GreyEncoder
from .images import size_of
from .subword import WordVocabulary
from .vocab import CharVocabulary, Vocabulary
from .vocabularies import build_vocabulary, check_options, defaults, load_vocabulary
from .words import without_marks, words_of

LAYOUTS = ("rows", "columns", "patches")
_AFFIXES = 8  # hashed features of a word, in addition to the word itself


@dataclass(frozen=True)
class TextEncoder:
    """Texts to ids: (T,) tokens of `vocab`, or (T, 9) if words also have `affixes`.

    Words are looked up in lower case. With `affixes`, a number of hash buckets, a word is a bag of
    features: its id, its first 1 to 3 and last 1 to 4 letters and its shape (capitals, digits), so
    that unknown words carry information too. Texts are cut after `max_length` tokens.
    """

    form: ClassVar[str] = "text"

    vocab: Vocabulary
    affixes: int = 0
    max_length: int | None = None

    @classmethod
    def build(
        cls,
        texts: Sequence[str | Sequence[str]],
        tokens: str = "word",
        *,
        vocab_size: int | None = None,
        min_count: int | None = None,
        affixes: int = 0,
        max_length: int | None = None,
    ) -> "TextEncoder":
        """Build the vocabulary of some texts (or lists of words); see `build_vocabulary`."""
        check_options(tokens, vocab_size, min_count)
        vocab: Vocabulary
        if tokens == "word":
            counts = Counter(f" {w.lower()}" for w in chain.from_iterable(map(words_of, texts)))
            size, count = defaults(tokens, vocab_size, min_count)
            vocab = WordVocabulary.most_frequent(counts, size, count)
        elif tokens == "char":
            vocab = CharVocabulary.build(texts, unknown=True)
        else:
            lines = (f"{text}\n" for text in texts)
            vocab = build_vocabulary(tokens, lines, vocab_size=vocab_size, min_count=min_count)
        return cls(vocab, affixes if tokens == "word" else 0, max_length)

    @property
    def table_size(self) -> int:
        """The number of embeddings that the ids need."""
        return len(self.vocab) + self.affixes

    def describe(self) -> dict[str, Any]:
        """Describe the encoder as JSON values; the vocabulary is in a separate file."""
        return {
            "kind": self.form,
            "tokens": self.vocab.kind,
            "affixes": self.affixes,
            "max_length": self.max_length,
        }

    def encode(self, text: str | Sequence[str]) -> np.ndarray:
        """Encode a text, or a list of words, as ids."""
        if not isinstance(self.vocab, WordVocabulary):
            assert isinstance(text, str)
            return self.vocab.encode(text)[: self.max_length]
        words = words_of(text, self.vocab.rule)[: self.max_length]
        ids = np.array([self.vocab.id_of(f" {word.lower()}") for word in words], np.int32)
        if not self.affixes:
            return ids
        features = [_hashes(word, self.vocab.rule) for word in words]
        hashes = np.array(features, np.uint32).reshape(-1, _AFFIXES)
        hashed = len(self.vocab) + (hashes % self.affixes).astype(np.int32)
        return np.concatenate([ids[:, None], hashed], axis=1)

    def is_cut(self, text: str | Sequence[str]) -> bool:
        """Say whether `encode` leaves out the end of a text."""
        whole = replace(self, max_length=None)
        return self.max_length is not None and len(whole.encode(text)) > self.max_length

    def save(self, directory: Path) -> None:
        """Write the vocabulary."""
        self.vocab.save(directory)


@dataclass(frozen=True, eq=False)
class SeriesEncoder:
    """Series (T, D) of numbers to mean 0 and deviation 1 of the training part, by column."""

    form: ClassVar[str] = "series"

    mean: np.ndarray
    std: np.ndarray

    @property
    def width(self) -> int:
        """Numbers per step."""
        return len(self.mean)

    @classmethod
    def build(cls, series: Sequence[np.ndarray]) -> "SeriesEncoder":
        """Compute mean and standard deviation over all steps of all series; 1 for a constant
        column.
        """
        values = np.concatenate(series).astype(np.float64)
        bounds = values.min(axis=0), values.max(axis=0)
        return cls(*_normal(values.mean(axis=0), values.std(axis=0), *bounds))

    def describe(self) -> dict[str, Any]:
        """Describe the encoder completely, as JSON values."""
        return {"kind": self.form, "mean": self.mean.tolist(), "std": self.std.tolist()}

    def encode(self, series: np.ndarray) -> np.ndarray:
        """Return (x - mean) / std, float32. Raises DataError if the width differs."""
        if series.ndim != 2 or series.shape[1] != len(self.mean):
            raise DataError(
                f"a series must have {len(self.mean)} columns, as in training, "
                f"got shape {series.shape}"
            )
        return _normalised(series, self.mean, self.std)

    def save(self, directory: Path) -> None:
        """Write nothing: `describe` is complete."""


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """Images (H, W, C) to sequences (T, D), pixels to mean 0 and deviation 1 of the training
    part, per channel.

    `layout` "rows": a step is a row from left to right, T = H and D = W C; "columns": a column
    from top to bottom; "patches": a square of `patch` x `patch` pixels, in reading order, zero (the
    mean) where it extends beyond the right or lower edge.
    """

    form: ClassVar[str] = "images"

    shape: tuple[int, int, int]
    mean: np.ndarray
    std: np.ndarray
    layout: str = "rows"
    patch: int = 4

    @classmethod
    def build(
        cls, images: Sequence[np.ndarray], layout: str = "rows", patch: int = 4
    ) -> "ImageEncoder":
        """Compute mean and standard deviation over all pixels of all images; 1 for a constant
        channel.

        Raises ConfigError if the layout is unknown, or the patch is below 1 or wider than the
        images.
        """
        height, width, channels = images[0].shape
        if layout not in LAYOUTS:
            raise ConfigError(f"image must be one of {', '.join(LAYOUTS)}, got {layout!r}")
        if layout == "patches" and not 1 <= patch <= min(height, width):
            size = size_of(images[0].shape)
            raise ConfigError(f"patch must be from 1 to the images' size, {size}, got {patch}")
        means = [image.mean(axis=(0, 1), dtype=np.float64) for image in images]
        mean = np.mean(means, axis=0)
        squares = [np.mean((image - mean) ** 2, axis=(0, 1)) for image in images]
        least = np.min([image.min(axis=(0, 1)) for image in images], axis=0)
        most = np.max([image.max(axis=(0, 1)) for image in images], axis=0)
        mean, std = _normal(mean, np.sqrt(np.mean(squares, axis=0)), least, most)
        return cls((height, width, channels), mean, std, layout, patch)

    @property
    def width(self) -> int:
        """Numbers per step."""
        height, width, channels = self.shape
        side = {"rows": width, "columns": height, "patches": self.patch**2}[self.layout]
        return side * channels

    def describe(self) -> dict[str, Any]:
        """Describe the encoder completely, as JSON values."""
        return {
            "kind": self.form,
            "shape": list(self.shape),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "layout": self.layout,
            "patch": self.patch,
        }

    def encode(self, image: np.ndarray) -> np.ndarray:
        """Return the sequence (T, D), float32. Raises DataError if the image has another size."""
        if image.shape != self.shape:
            raise DataError(
                f"images must be {size_of(self.shape)}, as in training, got {size_of(image.shape)}"
            )
        pixels = _normalised(image, self.mean, self.std)
        if self.layout == "rows":
            return pixels.reshape(len(pixels), -1)
        if self.layout == "columns":
            return pixels.swapaxes(0, 1).reshape(pixels.shape[1], -1)
        below, right = (-size % self.patch for size in self.shape[:2])
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)))
        down, across = (size // self.patch for size in pixels.shape[:2])
        squares = pixels.reshape(down, self.patch, across, self.patch, -1).swapaxes(1, 2)
        return squares.reshape(down * across, -1)

    def save(self, directory: Path) -> None:
        """Write nothing: `describe` is complete."""


def _normal(
    mean: np.ndarray, std: np.ndarray, least: np.ndarray, most: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what to subtract and to divide by. Numbers that differ by no more than their
    resolution are a constant: its computed deviation is only rounding, and is replaced by 1.
    """
    least, most = least.astype(np.float64), most.astype(np.float64)
    resolution = np.finfo(np.float64).eps * np.maximum(abs(least), abs(most))
    is_constant = (most - least <= 4 * resolution) | (std == 0)  # 0: squares underflow
    return np.where(is_constant, least, mean), np.where(is_constant, 1.0, std)


def _normalised(values: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return (x - mean) / std, float32. Raises DataError if a number exceeds 32 bits."""
    with np.errstate(over="ignore"):
        values = (values - mean) / std
    usable = fits_32_bits(values)
    if not usable.all():
        step = int(np.argwhere(~usable)[0, 0]) + 1
        raise DataError(f"step {step} has a number that is too far from those of training")
    return values.astype(np.float32)


Encoder = TextEncoder | SeriesEncoder | ImageEncoder | GreyEncoder


def load_encoder(description: dict[str, Any], directory: Path) -> Encoder:
    """Load the encoder that `describe` described, with the vocabulary in `directory`."""
    try:
        return _described(dict(description), directory)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f"{directory} is damaged: its inputs are not described: {error}") from error


def _described(given: dict[str, Any], directory: Path) -> Encoder:
    """Build the encoder after checking that every value is valid."""
    kind = given["kind"]
    if kind == TextEncoder.form:
        affixes, most = given["affixes"], given["max_length"]
        _check(affixes=_is_size(affixes, 0), max_length=most is None or _is_size(most))
        return TextEncoder(load_vocabulary(directory), affixes, most)
    if kind == GreyEncoder.kind:
        shape, white = tuple(given["shape"]), float(given["white"])
        _check(shape=len(shape) == 3 and all(map(_is_size, shape)), white=0 < white < math.inf)
        return GreyEncoder(shape, white)
    mean, std = np.array(given["mean"], np.float64), np.array(given["std"], np.float64)
    _check(kind=kind in (SeriesEncoder.form, ImageEncoder.form), mean=bool(np.isfinite(mean).all()))
    _check(std=mean.ndim == 1 and mean.shape == std.shape and bool((std > 0).all()))
    if kind == SeriesEncoder.form:
        return SeriesEncoder(mean, std)
    shape, layout, patch = tuple(given["shape"]), given["layout"], given["patch"]
    _check(shape=len(shape) == 3 and all(map(_is_size, shape)) and shape[2] == len(mean))
    _check(layout=layout in LAYOUTS, patch=_is_size(patch))
    return ImageEncoder(shape, mean, std, layout, patch)


def _check(**holds: bool) -> None:
    for name, is_usable in holds.items():
        if not is_usable:
            raise ValueError(f"{name} is wrong")


def _is_size(value: Any, least: int = 1) -> bool:
    return type(value) is int and least <= value <= MAX_SIZE


@lru_cache(maxsize=1 << 16)
def _hashes(word: str, rule: int) -> tuple[int, ...]:
    low = word.lower()
    parts = [f"<{low[:n]}" for n in (1, 2, 3)] + [f"{low[-n:]}>" for n in (1, 2, 3, 4)]
    # CRC-32, since Python's own hash differs from process to process.
    return tuple(crc32(part.encode(errors="replace")) for part in (*parts, _shape(word, rule)))


def _shape(word: str, rule: int) -> str:
    """Return the shape of a word: Xx for Bonn, X for UN, 9x for 4th, x-x for so-called. Runs of one
    kind become one sign and marks none (under rule 1 of `words` marks stood for themselves).
    """
    word = word if rule == 1 else without_marks(word)
    signs = "".join(
        "X" if c.isupper() else "x" if c.isalpha() else "9" if c.isdigit() else c for c in word
    )
    return "shape " + re.sub(r"(.)\1+", r"\1", signs)
