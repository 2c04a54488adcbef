"""Captions as token ids, beside the features of their pictures."""

from hashlib import sha256
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .pairs import Sentences
from .sequences import Sequences


class CaptionBatch(NamedTuple):
    """B captions (B, T), their lengths (B,), and their pictures' features (B, F) or (B, S, F)."""

    features: np.ndarray
    captions: np.ndarray
    lengths: np.ndarray


class CaptionPart(NamedTuple):
    """Features (P, F) or (P, S, F) of P pictures, and N captions whose targets are their pictures'
    numbers. The features may be memory-mapped and of half precision.
    """

    features: np.ndarray
    captions: Sequences
    names: list[str]

    def padded(self, rows: np.ndarray, steps: int) -> CaptionBatch:
        """Captions of these numbers, padded to `steps`; row -1 is all padding."""
        batch = self.captions.padded(rows, steps)
        features = self.features[np.where(rows < 0, 0, batch.targets)]
        return CaptionBatch(features, batch.inputs, batch.lengths)

    def references(self, sentences: Sentences) -> list[list[str]]:
        """The captions of every picture, decoded."""
        found: list[list[str]] = [[] for _ in self.names]
        for picture, ids in zip(self.captions.targets, self.captions.split(), strict=True):
            found[picture].append(sentences.decode(ids[:-1]))
        return found


class CaptionData(NamedTuple):
    """Captioned pictures to train on and held out."""

    sentences: Sentences
    train: CaptionPart
    val: CaptionPart
    notes: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """SHA-256 of everything, to tell whether the data has changed."""
        digest = sha256()
        for part in (self.train, self.val):
            digest.update(part.captions.fingerprint().encode())
            digest.update(str((part.features.dtype, part.features.shape, part.names)).encode())
            for begin in range(0, len(part.features), 256):
                digest.update(np.ascontiguousarray(part.features[begin : begin + 256]).data)
        return digest.hexdigest()


def caption_part(
    features: np.ndarray, names: list[str], captions: list[list[str]], sentences: Sentences
) -> CaptionPart:
    """The captions of each picture as ids. DataError where the numbers of pictures differ."""
    if not len(features) == len(names) == len(captions):
        raise DataError(
            f"features, names and captions must be of as many pictures, got {len(features)}, "
            f"{len(names)} and {len(captions)}"
        )
    pictures = [number for number, texts in enumerate(captions) for _ in texts]
    rows = [sentences.encode(text) for texts in captions for text in texts]
    return CaptionPart(features, Sequences.join(rows, pictures), names)
