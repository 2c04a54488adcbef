"""Captions as token ids, with the features of their pictures."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import files
from ..errors import DataError, RunError
from .sentences import Sentences
from .sequences import Sequences, load_sequences, save_sequences
from .vocabularies import load_vocabulary
from .words import characters_note

DESCRIPTION, ARRAYS = "captions.json", "captions.npz"
PARTS = ("train", "val")
_DESCRIBED = ("preparation", "made_from", "plain", "notes", "keys")


class CaptionBatch(NamedTuple):
    """B captions (B, T), their lengths (B,), and their pictures' features (B, F) or (B, S, F)."""

    features: np.ndarray
    captions: np.ndarray
    lengths: np.ndarray


class CaptionPart(NamedTuple):
    """Features (P, F) or (P, S, F) of P pictures, or their pixels (P, W, W, 3), and N captions, as
    ids whose targets are the numbers of their pictures, and as texts by picture. The features may
    be memory-mapped, and of half precision.
    """

    features: np.ndarray
    captions: Sequences
    names: list[str]
    texts: list[list[str]]

    def padded(self, rows: np.ndarray, steps: int) -> CaptionBatch:
        """Return captions of these numbers, padded to `steps`; row -1 is all padding."""
        batch = self.captions.padded(rows, steps)
        features = self.features[np.where(rows < 0, 0, batch.targets)]
        return CaptionBatch(features, batch.inputs, batch.lengths)


class CaptionData(NamedTuple):
    """Captioned pictures to train on and held out. `preparation` is JSON that says how pictures
    were prepared; `made_from` is a hash of the pictures and captions; `plain` captions are
    lower-case words without punctuation. `keys` are hashes of the pictures to train on, if known.
    """

    sentences: Sentences
    train: CaptionPart
    val: CaptionPart
    preparation: dict[str, Any]
    made_from: str = ""
    plain: bool = True
    notes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        features: np.ndarray,
        captions: list[list[str]],
        val_features: np.ndarray,
        val_captions: list[list[str]],
        *,
        tokens: str = "word",
        vocab_size: int | None = None,
        min_count: int | None = None,
        names: tuple[list[str], list[str]] | None = None,
        preparation: dict[str, Any] | None = None,
        made_from: str = "",
        plain: bool = True,
        notes: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
    ) -> "CaptionData":
        """Build from features (P, F) or (P, S, F), or from pixels (P, W, W, 3) in uint8 for a
        captioner with its own CNN, and the captions of each picture.

        The vocabulary is that of `captions`; `tokens`, `vocab_size` and `min_count` are those of
        `Sentences.build`. `names` are numbers by default. Raises DataError if features and captions
        differ in the number of pictures, or if those held out have another shape.
        """
        if features.shape[1:] != val_features.shape[1:]:
            raise DataError(
                "features to train on and held out must have the same shape, "
                f"got {features.shape[1:]} and {val_features.shape[1:]}"
            )
        texts = [text for row in captions for text in row]
        sentences = Sentences.build(texts, tokens, vocab_size, min_count)
        named = names or ([str(i) for i in range(len(x))] for x in (captions, val_captions))
        parts = zip((features, val_features), named, (captions, val_captions), strict=True)
        train, val = (caption_part(*part, sentences) for part in parts)
        unknown, total = sentences.unknown(val.captions), len(val.captions.values)
        notes = (
            f"{len(texts):,} captions of {len(train.names):,} pictures to train on, "
            f"{len(val.captions.lengths):,} of {len(val.names):,} held out",
            *notes,
            f"vocabulary: {sentences.vocab.known:,} tokens; held-out tokens unknown: {unknown:,} "
            f"of {total:,}",
            *(characters_note(texts) if sentences.vocab.kind == "char" else []),
        )
        preparation = preparation or _made_elsewhere(features)
        return cls(sentences, train, val, preparation, made_from, plain, notes, keys)

    def save(self, directory: Path) -> None:
        """Write everything but the features to a directory."""
        self.sentences.vocab.save(directory)
        save_sequences(directory / ARRAYS, train=self.train.captions, val=self.val.captions)
        described = {
            **{name: getattr(self, name) for name in _DESCRIBED},
            "parts": {
                name: {"names": part.names, "texts": part.texts}
                for name, part in zip(PARTS, (self.train, self.val), strict=True)
            },
        }
        files.write_json(directory / DESCRIPTION, described)

    @classmethod
    def open(cls, directory: Path, features: Sequence[np.ndarray]) -> "CaptionData":
        """Undo `save`, with the features of both parts. Raises RunError if something is damaged."""
        described = files.read_json(directory / DESCRIPTION, RunError)
        arrays = load_sequences(directory / ARRAYS)
        try:
            train, val = (
                _part(rows, arrays[name], **described["parts"][name])
                for name, rows in zip(PARTS, features, strict=True)
            )
            described = {"keys": [], **described}  # older runs did not keep them
            facts = {name: described[name] for name in _DESCRIBED}
            facts["notes"] = files.strings(facts["notes"])
            facts["keys"] = files.strings(facts["keys"])
        except (KeyError, TypeError) as error:
            raise RunError(f"{directory / DESCRIPTION} is damaged: {error} is missing") from error
        for part in (train, val):
            if not len(part.features) == len(part.names) == len(part.texts):
                raise RunError(
                    f"{directory} is damaged: it has features and captions of different pictures"
                )
        sentences = Sentences(load_vocabulary(directory))
        return cls(sentences, train, val, **facts)

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything, to detect changes."""
        digest = sha256()
        for part in (self.train, self.val):
            digest.update(part.captions.fingerprint().encode())
            digest.update(str((part.features.dtype, part.features.shape, part.names)).encode())
            for begin in range(0, len(part.features), 256):
                digest.update(np.ascontiguousarray(part.features[begin : begin + 256]).data)
        return digest.hexdigest()


def _part(rows: np.ndarray, captions: Sequences, names: Any, texts: Any) -> CaptionPart:
    """Restore a saved part. Raises TypeError if names or texts are not strings."""
    rows_of_texts = [list(files.strings(row)) for row in texts]
    return CaptionPart(rows, captions, list(files.strings(names)), rows_of_texts)


def _made_elsewhere(features: np.ndarray) -> dict[str, Any]:
    """Describe the preparation of arrays: pixels are for the captioner's own CNN."""
    if features.dtype == np.uint8:
        return {"cnn": "own", "size": features.shape[1], "is_trained": True}
    return {"cnn": "none", "size": 0}


def caption_part(
    features: np.ndarray, names: list[str], captions: list[list[str]], sentences: Sentences
) -> CaptionPart:
    """Encode the captions of each picture. Raises DataError if the numbers of pictures differ."""
    if not len(features) == len(names) == len(captions):
        raise DataError(
            f"features, names and captions must have the same length, got {len(features)}, "
            f"{len(names)} and {len(captions)}"
        )
    pictures = [number for number, texts in enumerate(captions) for _ in texts]
    rows = [sentences.encode(text) for texts in captions for text in texts]
    return CaptionPart(features, Sequences.join(rows, pictures), names, captions)
