"""The contract of a vocabulary, and its two simplest kinds: characters and bytes.

A vocabulary maps text to token ids and back. Every token stands for a fixed string of
bytes, so decoding is always concatenation followed by UTF-8 decoding.
"""

import codecs
import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import files
from ..errors import DataError, UnknownTokenError

Ids: TypeAlias = npt.NDArray[np.int32]
Tokens: TypeAlias = npt.NDArray[np.integer[Any]]
Places: TypeAlias = npt.NDArray[np.int64]
Pieces: TypeAlias = Iterable[Any]  # of str; for tokens="byte" of str or bytes

VOCABULARY_FILES = ("vocab.json", "tokenizer.json")
_CODE_POINTS = 0x110000
_NAMED_CHARS = 10
REPLACEMENT = "\ufffd"
_BLOCK_TOKENS = 1 << 20


class Unknown(NamedTuple):
    """Unknown tokens: how many, and the cost of spelling them, in nats."""

    tokens: int = 0
    spelling_nats: float = 0.0

    def __sub__(self, other: "Unknown") -> "Unknown":
        """Subtract a part."""
        return Unknown(self.tokens - other.tokens, self.spelling_nats - other.spelling_nats)


class Vocabulary(ABC):
    """Text to token ids and back; the base of the four kinds.

    `token_bytes[i]` are the bytes of token i. `unknown_id` is the id that replaces text without a
    token, or None if every text is representable or refused.
    """

    kind: ClassVar[str]
    file_name: ClassVar[str] = "vocab.json"
    unknown_id: int | None = None

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self.token_bytes = tuple(token_bytes)

    def __len__(self) -> int:
        return len(self.token_bytes)

    @property
    def known(self) -> int:
        """Return the number of tokens except the unknown one."""
        return len(self) - (self.unknown_id is not None)

    @abstractmethod
    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the ids of a text that comes in pieces; where it is cut makes no difference."""

    def unknown_in(self, pieces: Pieces) -> Iterator[str]:
        """Yield the parts of a text that become the unknown token, in order."""
        return iter(())

    def spelling_nats(self, token: str) -> float:
        """Return the cost of spelling out an unknown token, in nats.

        A loss per character is comparable between vocabularies only if this is added: otherwise a
        text of unknown words only would cost next to nothing.
        """
        return 0.0

    def unknown(self, pieces: Pieces) -> Unknown:
        """Return the unknown tokens of a text."""
        count, nats = 0, 0.0
        for token in self.unknown_in(pieces):
            count += 1
            nats += self.spelling_nats(token)
        return Unknown(count, nats)

    def first_token(self, text: str) -> str | bytes:
        """Return what the first token of a text stands for."""
        return self.bytes_of(self.encode(text)[:1])

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return everything that defines the vocabulary, as JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, value: Any) -> Self:
        """Undo `to_json`. Raises `DataError` if `value` is not such a vocabulary."""

    def encode(self, text: str) -> Ids:
        """Encode `text` as ids, int32 of shape (T,).

        Raises `UnknownTokenError` for characters that a character vocabulary lacks, `DataError` for
        lone surrogates.
        """
        return np.concatenate([np.empty(0, np.int32), *self.encode_pieces([text])])

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """Encode `text`; return ids, and for each the places of the first and the last character of
        it.

        A character split over tokens is in each of them. Raises the errors of `encode`.
        """
        ids = self.encode(text)
        # Which bytes begin a character.
        begins = np.frombuffer(encoded(text), np.uint8) & 0xC0 != 0x80
        character = np.cumsum(begins) - 1
        ends = np.cumsum(self._byte_lengths[ids])
        return ids, character[ends - self._byte_lengths[ids]], character[ends - 1]

    def decode(self, ids: Iterable[int] | Tokens) -> str:
        """Decode `ids`; bytes that are not UTF-8 become U+FFFD."""
        return self.bytes_of(ids).decode("utf-8", errors="replace")

    def decoder(self, errors: str = "replace") -> "StreamDecoder":
        """Return a decoder for ids that arrive a few at a time; `errors` as in `bytes.decode`."""
        return StreamDecoder(self, errors)

    def bytes_of(self, ids: Iterable[int] | Tokens) -> bytes:
        """Return the bytes of `ids`. Raises `DataError` if an id is outside the vocabulary."""
        array = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64).ravel()
        outside = array[(array < 0) | (array >= len(self))]
        if outside.size:
            raise DataError(f"token ids must be from 0 to {len(self) - 1}, got {outside[0]}")
        return b"".join([self.token_bytes[i] for i in array.tolist()])

    def token_text(self, token_id: int) -> str:
        r"""Return token `token_id` for display, with bytes that are not UTF-8 as `\xNN`."""
        return self.bytes_of([token_id]).decode("utf-8", errors="backslashreplace")

    def n_bytes(self, ids: Tokens) -> int:
        """Count the bytes of `ids` (an unknown word counts as its replacement)."""
        return _total(self._byte_lengths, ids)

    def n_chars(self, ids: Tokens) -> int:
        """Count the characters of `ids`; a character split over tokens counts once."""
        return _total(self._char_lengths, ids)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the canonical JSON, equal exactly for equal vocabularies."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def save(self, directory: Path) -> None:
        """Write `vocab.json` or `tokenizer.json` into `directory`, and leave only that one."""
        directory = Path(directory)
        files.write_json(directory / self.file_name, self.to_json())
        for name in VOCABULARY_FILES:
            if name != self.file_name:
                (directory / name).unlink(missing_ok=True)

    @cached_property
    def _byte_lengths(self) -> npt.NDArray[np.int64]:
        return np.array([len(token) for token in self.token_bytes], np.int64)

    @cached_property
    def _char_lengths(self) -> npt.NDArray[np.int64]:
        # Every character has exactly one byte that is not a continuation byte 10xxxxxx.
        return np.array(
            [sum(byte & 0xC0 != 0x80 for byte in token) for token in self.token_bytes], np.int64
        )


class StreamDecoder:
    """Decodes ids as they come; a character split over tokens appears once it is complete."""

    def __init__(self, vocab: Vocabulary, errors: str = "replace") -> None:
        self._vocab = vocab
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors)

    def push(self, ids: Iterable[int] | Tokens) -> str:
        """Return the text that `ids` complete."""
        return self._utf8.decode(self._vocab.bytes_of(ids))

    def finish(self) -> str:
        """Return what is left at the end: U+FFFD for an unfinished character, or nothing."""
        return self._utf8.decode(b"", final=True)


class CharVocabulary(Vocabulary):
    """One token per Unicode code point, in order of code points.

    Other characters are refused, or with `unknown` replaced by U+FFFD, which is a token then.
    """

    kind = "char"

    def __init__(self, chars: str, unknown: bool = False) -> None:
        """Take `chars`, distinct and sorted."""
        super().__init__([encoded(char) for char in chars])
        self.chars = chars
        self.unknown_id = chars.index(REPLACEMENT) if unknown else None
        self._id_of = np.full(_CODE_POINTS, -1, np.int32)
        self._id_of[_code_points(chars)] = np.arange(len(chars), dtype=np.int32)

    @classmethod
    def build(cls, pieces: Pieces, unknown: bool = False) -> Self:
        """Collect the characters of `pieces`, and U+FFFD for others if `unknown`."""
        seen = np.zeros(_CODE_POINTS, bool)
        seen[ord(REPLACEMENT)] = unknown
        for piece in pieces:
            seen[_code_points(piece)] = True
        return cls("".join(map(chr, np.flatnonzero(seen))), unknown)

    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the ids of each piece, one per character."""
        for piece in pieces:
            codes = _code_points(piece)
            ids = self._id_of[codes]
            if ids.size and ids.min() < 0:
                if self.unknown_id is None:
                    raise UnknownTokenError(_unknown_sentence(codes[ids < 0]))
                ids[ids < 0] = self.unknown_id
            yield ids

    def unknown_in(self, pieces: Pieces) -> Iterator[str]:
        """Yield the characters that have no token."""
        if self.unknown_id is not None:
            for piece in pieces:
                yield from (piece[i] for i in np.flatnonzero(self._id_of[_code_points(piece)] < 0))

    def spelling_nats(self, token: str) -> float:
        """Return ln 1,114,112: every code point is equally likely."""
        return math.log(_CODE_POINTS)

    def first_token(self, text: str) -> str:
        """Return the first character."""
        return text[:1]

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """Return ids, and the places of their characters (including those that `unknown`
        replaces).
        """
        places = np.arange(len(text))
        return self.encode(text), places, places

    def to_json(self) -> dict[str, Any]:
        """Return the characters as one string."""
        value = {"kind": self.kind, "chars": self.chars}
        return value if self.unknown_id is None else {**value, "unknown": True}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Undo `to_json`."""
        chars = value.get("chars")
        if not isinstance(chars, str) or chars != "".join(sorted(set(chars))):
            raise DataError("chars must be a string of distinct, sorted characters")
        unknown = value.get("unknown", False)
        if unknown not in (False, True) or (unknown and REPLACEMENT not in chars):
            raise DataError("unknown must be true or false, and U+FFFD among chars if it is true")
        return cls(chars, unknown)


class ByteVocabulary(Vocabulary):
    """The 256 bytes; any file is representable."""

    kind = "byte"

    def __init__(self) -> None:
        super().__init__([bytes([value]) for value in range(256)])

    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the bytes of each piece (of its UTF-8 form if it is a str).

        A byte that is not UTF-8 may appear in a str in the form of Python's "surrogateescape", as
        in the arguments of a command.
        """
        for piece in pieces:
            data = _escaped(piece) if isinstance(piece, str) else piece
            yield np.frombuffer(data, np.uint8).astype(np.int32)

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """Return the bytes, and for each the place of its character."""
        places = np.repeat(np.arange(len(text)), [len(_escaped(char)) for char in text])
        return self.encode(text), places, places

    def to_json(self) -> dict[str, Any]:
        """Return the kind alone: all byte vocabularies are equal."""
        return {"kind": self.kind}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Undo `to_json`."""
        return cls()


def _escaped(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return encoded(text)  # which raises


def encoded(text: str, codec: str = "utf-8") -> bytes:
    """Encode `text`. Raises `DataError` if it has a lone surrogate, which is not a character."""
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise DataError(
            f"text must be valid Unicode, got the lone surrogate {text[error.start]!r} "
            f"at character {error.start}: remove it"
        ) from error


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(encoded(text, "utf-32-le"), "<u4")


def _unknown_sentence(codes: npt.NDArray[np.uint32]) -> str:
    unknown = [repr(chr(code)) for code in np.unique(codes)]
    more = len(unknown) - _NAMED_CHARS
    names = ", ".join(unknown[:_NAMED_CHARS]) + (f" and {more} more" if more > 0 else "")
    return (
        f"the text has characters that the vocabulary lacks: {names}; remove them, "
        "or train on a text that has them or with byte or BPE tokens"
    )


def _total(lengths: npt.NDArray[np.int64], ids: Tokens) -> int:
    # In blocks, since `ids` may be a memory-mapped file much larger than memory.
    blocks = range(0, len(ids), _BLOCK_TOKENS)
    return sum(int(lengths[ids[start : start + _BLOCK_TOKENS]].sum()) for start in blocks)
