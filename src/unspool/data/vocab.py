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
    """Tokens that a vocabulary lacks: how many, and what it costs to spell them, in nats."""

    tokens: int = 0
    spelling_nats: float = 0.0

    def __sub__(self, other: "Unknown") -> "Unknown":
        """What is left without a part."""
        return Unknown(self.tokens - other.tokens, self.spelling_nats - other.spelling_nats)


class Vocabulary(ABC):
    """Text to token ids and back; the base of the four kinds.

    `token_bytes[i]` is what token i stands for. `unknown_id` is the id that replaces text
    without a token of its own, or None where every text is representable or refused.
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
        """How many tokens there are but the unknown one."""
        return len(self) - (self.unknown_id is not None)

    @abstractmethod
    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the ids of a text that comes in pieces; where it is cut changes nothing."""

    def unknown_in(self, pieces: Pieces) -> Iterator[str]:
        """Yield what of a text becomes the unknown token, in order."""
        return iter(())

    def spelling_nats(self, token: str) -> float:
        """What it costs to spell out an unknown token, in nats.

        A loss per character is comparable over vocabularies only with this added: else a text of
        unknown words alone would cost next to nothing.
        """
        return 0.0

    def unknown(self, pieces: Pieces) -> Unknown:
        """The unknown tokens of a text."""
        count, nats = 0, 0.0
        for token in self.unknown_in(pieces):
            count += 1
            nats += self.spelling_nats(token)
        return Unknown(count, nats)

    def first_token(self, text: str) -> str | bytes:
        """What the first token of a text stands for."""
        return self.bytes_of(self.encode(text)[:1])

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Everything that defines the vocabulary, as JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, value: Any) -> Self:
        """Undo `to_json`; raise `DataError` if `value` is not such a vocabulary."""

    def encode(self, text: str) -> Ids:
        """Ids of `text`, int32 of shape (T,).

        Raises `UnknownTokenError` for characters that a character vocabulary lacks and
        `DataError` for lone surrogates.
        """
        return np.concatenate([np.empty(0, np.int32), *self.encode_pieces([text])])

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """Ids of `text`, and for each the places of the first and the last character it stands for.

        A character split over tokens is in each of them. Raises what `encode` raises.
        """
        ids = self.encode(text)
        begins = np.frombuffer(encoded(text), np.uint8) & 0xC0 != 0x80  # of characters, by byte
        character = np.cumsum(begins) - 1
        ends = np.cumsum(self._byte_lengths[ids])
        return ids, character[ends - self._byte_lengths[ids]], character[ends - 1]

    def decode(self, ids: Iterable[int] | Tokens) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD."""
        return self.bytes_of(ids).decode("utf-8", errors="replace")

    def decoder(self, errors: str = "replace") -> "StreamDecoder":
        """A decoder for ids that arrive a few at a time; `errors` as in `bytes.decode`."""
        return StreamDecoder(self, errors)

    def bytes_of(self, ids: Iterable[int] | Tokens) -> bytes:
        """The bytes that `ids` stand for; `DataError` for an id outside the vocabulary."""
        array = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64).ravel()
        outside = array[(array < 0) | (array >= len(self))]
        if outside.size:
            raise DataError(f"token ids must be from 0 to {len(self) - 1}, got {outside[0]}")
        return b"".join([self.token_bytes[i] for i in array.tolist()])

    def token_text(self, token_id: int) -> str:
        r"""Token `token_id` for display; bytes that are not UTF-8 as `\xNN`."""
        return self.bytes_of([token_id]).decode("utf-8", errors="backslashreplace")

    def n_bytes(self, ids: Tokens) -> int:
        """How many bytes `ids` stand for (an unknown word counts as its replacement)."""
        return _total(self._byte_lengths, ids)

    def n_chars(self, ids: Tokens) -> int:
        """How many characters `ids` stand for; a character split over tokens counts once."""
        return _total(self._char_lengths, ids)

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: equal exactly for equal vocabularies."""
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
    """Decodes ids as they come; a character split over tokens appears once it is whole."""

    def __init__(self, vocab: Vocabulary, errors: str = "replace") -> None:
        self._vocab = vocab
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors)

    def push(self, ids: Iterable[int] | Tokens) -> str:
        """The text that `ids` complete."""
        return self._utf8.decode(self._vocab.bytes_of(ids))

    def finish(self) -> str:
        """What is left at the end: U+FFFD for an unfinished character, or nothing."""
        return self._utf8.decode(b"", final=True)


class CharVocabulary(Vocabulary):
    """One token a Unicode code point, in order of code points.

    Other characters are refused, or with `unknown` replaced by U+FFFD, one of the tokens.
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
        """The characters that occur in `pieces`, and U+FFFD for others if `unknown`."""
        seen = np.zeros(_CODE_POINTS, bool)
        seen[ord(REPLACEMENT)] = unknown
        for piece in pieces:
            seen[_code_points(piece)] = True
        return cls("".join(map(chr, np.flatnonzero(seen))), unknown)

    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the ids of each piece, one a character."""
        for piece in pieces:
            codes = _code_points(piece)
            ids = self._id_of[codes]
            if ids.size and ids.min() < 0:
                if self.unknown_id is None:
                    raise UnknownTokenError(_unknown_sentence(codes[ids < 0]))
                ids[ids < 0] = self.unknown_id
            yield ids

    def unknown_in(self, pieces: Pieces) -> Iterator[str]:
        """Yield the characters that are no tokens."""
        if self.unknown_id is not None:
            for piece in pieces:
                yield from (piece[i] for i in np.flatnonzero(self._id_of[_code_points(piece)] < 0))

    def spelling_nats(self, token: str) -> float:
        """ln 1,114,112: every code point is as likely."""
        return math.log(_CODE_POINTS)

    def first_token(self, text: str) -> str:
        """The first character."""
        return text[:1]

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """Ids, and the places of their characters (also of those that `unknown` replaces)."""
        places = np.arange(len(text))
        return self.encode(text), places, places

    def to_json(self) -> dict[str, Any]:
        """The characters as one string."""
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
    """The 256 bytes; any file at all is representable."""

    kind = "byte"

    def __init__(self) -> None:
        super().__init__([bytes([value]) for value in range(256)])

    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the bytes of each piece (of its UTF-8 form if it is a str).

        A byte that is no UTF-8 may stand in a str as Python's "surrogateescape" writes it, as in
        the arguments of a command.
        """
        for piece in pieces:
            data = _escaped(piece) if isinstance(piece, str) else piece
            yield np.frombuffer(data, np.uint8).astype(np.int32)

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """The bytes, and for each the place of its character."""
        places = np.repeat(np.arange(len(text)), [len(_escaped(char)) for char in text])
        return self.encode(text), places, places

    def to_json(self) -> dict[str, Any]:
        """Only the kind: all byte vocabularies are equal."""
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
    """`text` as bytes; `DataError` if it has a lone surrogate, which is no character."""
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
    # In blocks, as `ids` may be a memory-mapped file much larger than memory.
    blocks = range(0, len(ids), _BLOCK_TOKENS)
    return sum(int(lengths[ids[start : start + _BLOCK_TOKENS]].sum()) for start in blocks)
