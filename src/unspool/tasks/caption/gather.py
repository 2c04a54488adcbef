"""Gather captioned pictures from files and prepare them for a captioner."""

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ...data import (
    LeftOut,
    Pictures,
    decode_picture,
    match_names,
    read_arrays,
    read_captions,
    suffix_of,
)
from ...data.arrays import fits_32_bits
from ...data.caption_files import Pair, pair
from ...errors import ConfigError, DataError
from ...vision.preparation import GIVEN, Preparation, open_rows, save_rows
from ..recipe import Track, untracked
from .metrics import caption_words

FEATURES = ".npz"  # features computed elsewhere


class Captioned(NamedTuple):
    """Usable pictures, or features, with their captions.

    `keys` are hashes of the pictures' content. `given` are the rows of features of an .npz; without
    them the pictures are read from `source`.
    """

    source: Path
    names: list[str]
    keys: list[str]
    captions: list[list[str]]
    given: np.ndarray | None
    notes: tuple[str, ...]
    is_part: bool = False

    def take(self, numbers: list[int]) -> "Captioned":
        """Take some of the pictures."""
        return self._replace(
            is_part=True,
            names=[self.names[i] for i in numbers],
            keys=[self.keys[i] for i in numbers],
            captions=[self.captions[i] for i in numbers],
            given=None if self.given is None else self.given[numbers],
        )

    def fingerprint(self) -> str:
        """Return the SHA-256 of the pictures' content and captions."""
        return sha256(json.dumps([self.keys, self.captions]).encode()).hexdigest()


def gather(
    source: Path, captions: Path, split: str | None = None, *, plain: bool, track: Track = untracked
) -> Captioned:
    """Match pictures (a folder or TAR) or features (an .npz) with their captions.

    Every picture is decoded once, to leave out those that cannot be. `plain` captions become
    lower-case words without punctuation, as they are scored. Raises DataError if no picture has a
    usable caption, ConfigError if `split` is given for a file that has no splits.
    """
    texts = read_captions(captions, split)
    if suffix_of(source) == FEATURES:
        return _gather_given(source, texts, plain)
    pictures = Pictures(source)
    found: list[Pair[str]] = []
    pairs = pair(pictures, texts, _key)
    for _ in track(_counted(pairs, found.append), len(pictures.names), "reading pictures"):
        pass
    notes = pictures.left_out
    # In the order of a folder, so that a TAR of the same pictures gives the same rows.
    found.sort(key=lambda one: PurePosixPath(one.name).parts)
    rows = [(name, key, _texts(name, raw, plain, notes)) for name, key, raw in found]
    return _without_empty(source, rows, None, notes)


def prepare_rows(
    data: Captioned, preparation: Preparation, path: Path, track: Track = untracked
) -> np.ndarray:
    """Write what the captioner reads of each picture to `path`, and open it.

    Features are cached by source; for a part of a source, also by the file name of `path`.
    """
    if data.given is not None:
        save_rows(path, data.given)
    else:
        source = f"{data.source.resolve()} {path.name if data.is_part else ''}"
        counts = preparation.keep(path, source, data.keys, *_reader(data))
        for _ in track(counts, len(data.keys), "encoding pictures"):
            pass
    return open_rows(path)


def preparation_given(features: np.ndarray) -> Preparation:
    """Describe features that were computed elsewhere."""
    return Preparation(GIVEN, size=0, is_pooled=features.ndim == 2)


def _gather_given(source: Path, texts: dict[str, list[str]], plain: bool) -> Captioned:
    names, features = read_given(source)
    notes = LeftOut()
    matches = match_names(names, texts)
    for name in names:
        if name not in matches:
            notes.add("features without captions", name)
    used = set(matches.values())
    for name in texts:
        if name not in used:
            notes.add("captions without features", name)
    numbers = [i for i, name in enumerate(names) if name in matches]
    rows = []
    for i in numbers:
        key = sha256(np.ascontiguousarray(features[i]).tobytes()).hexdigest()
        rows.append((names[i], key, _texts(names[i], texts[matches[names[i]]], plain, notes)))
    return _without_empty(source, rows, features[numbers], notes)


def read_given(path: Path) -> tuple[list[str], np.ndarray]:
    """Read `names` (N,) and `features`, (N, F), (N, S, F) or (N, height, width, F), from an .npz.

    Raises DataError unless features are finite numbers that fit in 32 bits.
    """
    arrays = read_arrays(path, ("names", "features"))
    if len(arrays) < 2:
        missing = ", ".join(sorted({"names", "features"} - arrays.keys()))
        raise DataError(
            f"{path} must be an .npz with `names` (N,) and `features` (N, F) or (N, S, F), "
            f"got one without {missing}"
        )
    names, features = _texts_of(arrays["names"]), arrays["features"]
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) != len(names):
        raise DataError(f"{path}: names must be an array of different strings")
    if features.ndim not in (2, 3, 4) or features.dtype.kind != "f" or 0 in features.shape:
        raise DataError(
            f"{path}: features must be floating-point numbers (N, F), (N, S, F) or "
            f"(N, height, width, F), got {features.dtype} of {features.shape}"
        )
    if len(names) != len(features):
        raise DataError(f"{path}: names has {len(names)} rows and features {len(features)}")
    for name, row in zip(names.tolist(), features, strict=True):
        if not fits_32_bits(row).all():
            raise DataError(f"{path}: features of {name!r} are not finite numbers of 32 bits")
    return names.tolist(), features.astype(np.float32)


def _texts_of(names: np.ndarray) -> np.ndarray:
    """Decode bytes as UTF-8; return anything else unchanged."""
    try:
        return np.char.decode(names, "utf-8") if names.dtype.kind == "S" else names
    except UnicodeDecodeError:
        return names


def _key(content: bytes, name: str) -> str:
    decode_picture(content, name)  # raises DataError if it is not a picture
    return sha256(content).hexdigest()


def _counted(pairs: Iterator[Pair[str]], take: Callable[[Pair[str]], None]) -> Iterator[int]:
    for number, one in enumerate(pairs, 1):
        take(one)
        yield number


def _texts(name: str, raw: Iterable[str], plain: bool, notes: LeftOut) -> list[str]:
    """Return the captions that have words."""
    texts = [" ".join(caption_words(text)) if plain else text for text in raw]
    if not all(texts):
        notes.add("pictures whose captions have no words", name)
    return [text for text in texts if text]


def _without_empty(
    source: Path, rows: list[tuple[str, str, list[str]]], given: np.ndarray | None, notes: LeftOut
) -> Captioned:
    full = [i for i, row in enumerate(rows) if row[2]]
    if not full:
        raise DataError(
            "; ".join([f"{source} has nothing that can be used with a caption", *notes.notes()])
        )
    names, keys, captions = zip(*rows, strict=True)
    columns = list(names), list(keys), list(captions)
    found = Captioned(source, *columns, given, tuple(notes.notes()))
    return found if len(full) == len(rows) else found.take(full)


def _reader(data: Captioned) -> tuple[Callable[[int], np.ndarray], list[int]]:
    """Return a reader of the pixels of picture i, and the order to call it in: a TAR is read
    once.
    """
    pictures = Pictures(data.source)
    number = {name: i for i, name in enumerate(data.names)}
    order = [number[name] for name in pictures.names if name in number]
    if len(order) < len(number):
        raise DataError(f"{data.source} changed while it was read: it has fewer pictures")
    contents = pictures.contents(number)

    def read(i: int) -> np.ndarray:
        for name, content in contents:
            if name == data.names[i]:
                if sha256(content).hexdigest() != data.keys[i]:
                    break
                return decode_picture(content, name)
        raise DataError(f"{data.source} changed while it was read: {data.names[i]}")

    return read, order


def check_sources(sources: tuple[str, ...]) -> tuple[Path, Path]:
    """Check that both pictures (or features) and captions are named."""
    if len(sources) != 2:
        raise ConfigError("pictures (or their features) and captions are needed", "name both")
    return Path(sources[0]), Path(sources[1])
