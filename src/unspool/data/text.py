"""A text as memory-mapped token ids with their vocabulary."""

import hashlib
import math
import shutil
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from .. import files
from ..errors import ConfigError, DataError, RunError
from .passages import passages_note
from .sources import Sources, open_sources
from .streams import open_tokens, token_dtype, write_tokens
from .vocab import Pieces, Tokens, Vocabulary
from .vocabularies import build_vocabulary, check_options, load_vocabulary

FORMAT_VERSION = 1
DESCRIPTION = "text.json"
_PARTS = ("train", "val")
UNKNOWN = ("token", "refuse")


class Size(NamedTuple):
    """How long a part of a text is before it becomes tokens; its first token, which no model
    predicts; and what is unknown in the rest: how many tokens, and the cost of spelling them (see
    `Vocabulary.unknown`; NaN for texts of runs whose version of Unspool did not record it).
    """

    chars: int
    bytes: int
    first_chars: int = 0
    first_bytes: int = 0
    unknown: int = 0
    spelling_nats: float = 0.0


@dataclass(frozen=True, eq=False)
class Text:
    """A text as token ids, in a training part and a validation part.

    `train` and `val` are memory-mapped, read-only arrays of shape (N,). `sha256` is that of the
    sources' bytes in order (without byte order marks), then of the validation source. `notes` say
    what was skipped. The sizes count the text itself, which differs from its tokens if words are
    unknown.

        text = Text.read("shakespeare.txt", tokens="char")
    """

    vocab: Vocabulary
    train: Tokens
    val: Tokens
    sources: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...]
    train_size: Size
    val_size: Size

    @classmethod
    def read(
        cls,
        *sources: str | Path,
        tokens: str = "char",
        vocab: Vocabulary | None = None,
        vocab_size: int | None = None,
        min_count: int | None = None,
        val: str | Path | None = None,
        val_fraction: float = 0.1,
        unknown: str = "token",
        directory: Path | None = None,
    ) -> Self:
        """Read files, folders, corpora or "-" (see `open_sources`) into token ids.

        The first `int((1 - val_fraction) * N)` of N characters (bytes with tokens="byte") are for
        training and the rest for validation; with 0, all are for training. `val` names a separate
        validation text instead. The vocabulary is `vocab`, or is built from the training part (see
        `build_vocabulary`). A character that it lacks becomes the unknown token; with `unknown`
        "refuse" it is an error, and the characters of the held-out end of a text count as known.
        Everything is written to `directory`, or to a temporary one that is removed with the object.
        Raises `DataError` if a text cannot be used, `ConfigError` if an option is invalid.
        """
        _check_arguments(tokens, vocab, vocab_size, min_count, val_fraction)
        if unknown not in UNKNOWN:
            raise ConfigError(f"unknown must be one of {', '.join(UNKNOWN)}, got {unknown!r}")
        kind = tokens if vocab is None else vocab.kind
        with _open_texts(sources, val, kind) as (main, held_out):
            whole = _Tally()
            deque(whole.watch(main.pieces()), maxlen=0)
            names = ", ".join(main.names)
            if whole.units == 0:
                raise DataError(f"the text is empty ({names})", "use one with some content")
            cut = int((1 - val_fraction) * whole.units)
            if held_out is not None:
                cut, parts = whole.units, (main.pieces, held_out.pieces)
            else:
                parts = (partial(main.pieces, 0, cut), partial(main.pieces, cut))
            if vocab is None:
                refuse = unknown == "refuse"
                vocab = build_vocabulary(
                    kind, main.pieces() if refuse and kind == "char" else parts[0](),
                    vocab_size=vocab_size, min_count=min_count, unknown=not refuse,
                )  # fmt: skip
            if cut >= 2:  # otherwise the text is too short in any case
                _check_distinct(vocab, names)
            with _target(directory) as target:
                _write(target, vocab, parts, (main, held_out), is_cut=val_fraction > 0)
                text = cls.open(target)
        if directory is None:
            weakref.finalize(text, shutil.rmtree, target, ignore_errors=True)
        return text

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open what `read` wrote. Raises `RunError`, naming the file, if one is missing or
        damaged.
        """
        directory = Path(directory)
        path = directory / DESCRIPTION
        description = files.read_json(path, RunError)
        vocab = load_vocabulary(directory)
        try:
            if description["format_version"] != FORMAT_VERSION:
                raise RunError(
                    f"{path} must have format_version {FORMAT_VERSION}, got "
                    f"{description['format_version']}: use the Unspool that wrote it"
                )
            if description["vocabulary"] != vocab.fingerprint():
                raise RunError(
                    f"{directory / vocab.file_name} does not belong to {DESCRIPTION} (one of the "
                    "two has changed): read the text again"
                )
            said = [description["parts"][part] for part in _PARTS]
            train, val = (
                _open_part(directory / f"{name}.bin", part, vocab)
                for name, part in zip(_PARTS, said, strict=True)
            )
            return cls(
                vocab=vocab,
                train=train,
                val=val,
                sources=files.strings(description["sources"]),
                sha256=description["sha256"],
                notes=files.strings(description["notes"]),
                train_size=_size(said[0], train, vocab),
                val_size=_size(said[1], val, vocab),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError(f"{path} is damaged: {error!r} is missing or misplaced") from error

    def fingerprint(self) -> str:
        """Return the `sha256` of the sources, to detect changes."""
        return self.sha256


def _size(part: dict[str, Any], tokens: Tokens, vocab: Vocabulary) -> Size:
    """Check what text.json says. Old files say nothing of unknown tokens, which are counted here,
    and left out the first character.
    """
    if "unknown" not in part:
        unknown = 0 if vocab.unknown_id is None else int(np.sum(tokens[1:] == vocab.unknown_id))
        size = Size(part["chars"], part["bytes"], 1, 1, unknown, math.nan if unknown else 0.0)
    else:
        size = Size(*(part[name] for name in Size._fields))
        if type(size.spelling_nats) not in (int, float) or not 0 <= size.spelling_nats < math.inf:
            raise ValueError("spelling_nats")
    if not all(type(count) is int and 0 <= count < 2**63 for count in size[:-1]):
        raise ValueError("a size")
    return size._replace(spelling_nats=float(size.spelling_nats))


def fingerprint_sources(
    *sources: str | Path, tokens: str = "char", val: str | Path | None = None
) -> str:
    """Return the `sha256` that `Text.read` would find, to detect changes."""
    digest = hashlib.sha256()
    with _open_texts(sources, val, tokens) as texts:
        for text in texts:
            if text is not None:
                deque(_Tally(digest).watch(text.pieces()), maxlen=0)
    return digest.hexdigest()


class _Tally:
    """Counts and hashes the pieces that pass through `watch`."""

    def __init__(self, digest: Any = None) -> None:
        self._digest = hashlib.sha256() if digest is None else digest
        self.units = self.chars = self.bytes = 0

    def watch(self, pieces: Pieces) -> Iterator[Any]:
        """Yield `pieces` unchanged."""
        for piece in pieces:
            data = piece if isinstance(piece, bytes) else piece.encode()
            self._digest.update(data)
            self.units += len(piece)
            self.bytes += len(data)
            self.chars += _count_chars(data) if isinstance(piece, bytes) else len(piece)
            yield piece


def _count_chars(data: bytes) -> int:
    # As `Vocabulary.n_chars` does: bytes other than UTF-8's continuation bytes 10xxxxxx.
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) & 0xC0 != 0x80))


def _check_arguments(
    tokens: str,
    vocab: Vocabulary | None,
    vocab_size: int | None,
    min_count: int | None,
    val_fraction: float,
) -> None:
    if vocab is None:
        check_options(tokens, vocab_size, min_count)
    elif vocab_size is not None or min_count is not None:
        raise ConfigError("vocab_size and min_count cannot be given together with vocab: drop them")
    if not 0 <= val_fraction < 1:
        raise ConfigError(f"val_fraction must be from 0 to below 1, got {val_fraction}")


def _check_distinct(vocab: Vocabulary, names: str) -> None:
    tokens = vocab.known if vocab.kind == "char" else len(vocab)  # the text contains unknown words
    if tokens < 2:
        raise DataError(
            f"the text must have at least 2 different tokens, got {tokens} ({names})",
            "use a longer text",
            {"min_count": "lower {}"} if vocab.kind == "word" else {},
        )


@contextmanager
def _open_texts(
    sources: Sequence[str | Path], val: str | Path | None, kind: str
) -> Iterator[tuple[Sources, Sources | None]]:
    """Open the text and, if there is one, the separate validation text."""
    raw = kind == "byte"
    if val is None:
        with open_sources(sources, raw) as main:
            yield main, None
        return
    if val == "-" and "-" in sources:
        raise ConfigError("'-' (standard input) can be the text or val, not both")
    with open_sources(sources, raw) as main, open_sources((val,), raw) as held_out:
        yield main, held_out


@contextmanager
def _target(directory: Path | None) -> Iterator[Path]:
    """Yield the directory to write to; remove a temporary one after an error."""
    if directory is None:
        target = Path(tempfile.mkdtemp(prefix="unspool-text-"))
        try:
            yield target
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        return
    target = Path(directory)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.write_error(target, error) from error
    yield target


@dataclass(frozen=True)
class _Part:
    """The entry of text.json for a file of ids."""

    tokens: int
    chars: int
    bytes: int
    first_chars: int
    first_bytes: int
    unknown: int
    spelling_nats: float
    sha256: str


def _write(
    target: Path,
    vocab: Vocabulary,
    parts: tuple[Callable[[], Pieces], Callable[[], Pieces]],
    texts: tuple[Sources, Sources | None],
    is_cut: bool,
) -> None:
    """Write all files of a text; text.json comes last and vouches for the others.

    Without a separate validation text, the text `is_cut` in two, or all of it is read.
    """
    (target / DESCRIPTION).unlink(missing_ok=True)
    vocab.save(target)
    digest = hashlib.sha256()
    train, val = (
        _write_part(target / f"{name}.bin", pieces, vocab, digest)
        for name, pieces in zip(_PARTS, parts, strict=True)
    )
    main, held_out = texts
    if held_out is not None:
        _check_tokens(train.tokens, main)
        _check_tokens(val.tokens, held_out, "validation ")
    elif is_cut:
        _check_tokens(train.tokens, main, "training part of the ", "lower {}")
        _check_tokens(val.tokens, main, "validation part of the ", "raise {}")
    else:
        _check_tokens(train.tokens, main)
    used = [text for text in texts if text is not None]
    notes = [note for text in used for note in text.notes]
    if held_out is not None:
        ids = [open_tokens(target / f"{name}.bin", len(vocab)) for name in _PARTS]
        notes += passages_note(ids[0], ids[1], "held-out text")
    description = {
        "format_version": FORMAT_VERSION,
        "sources": list(texts[0].names),
        "sha256": digest.hexdigest(),
        "vocabulary": vocab.fingerprint(),
        "notes": notes,
        "parts": {"train": asdict(train), "val": asdict(val)},
    }
    files.write_json(target / DESCRIPTION, description)


def _write_part(path: Path, pieces: Callable[[], Pieces], vocab: Vocabulary, digest: Any) -> _Part:
    tally = _Tally(digest)
    tokens = write_tokens(tally.watch(pieces()), vocab, path)
    first = _first_token(pieces(), vocab)
    # No model predicts the first token.
    missing = vocab.unknown(pieces()) - vocab.unknown([first] if first else [])
    data = first if isinstance(first, bytes) else first.encode()
    return _Part(
        tokens, tally.chars, tally.bytes, _count_chars(data), len(data), *missing,
        files.sha256_of(path),
    )  # fmt: skip


def _first_token(pieces: Pieces, vocab: Vocabulary) -> Any:
    piece = next(iter(pieces), "")
    if isinstance(piece, bytes):
        return piece[:1]
    return vocab.first_token(piece.split("\n", 1)[0] or piece[:1]) if piece else ""


def _check_tokens(tokens: int, text: Sources, part: str = "", remedy: str = "") -> None:
    if tokens < 2:
        raise DataError(
            f"the {part}text must have at least 2 tokens, got {tokens} ({', '.join(text.names)})",
            "use a longer text",
            {"val_fraction": remedy} if remedy else {},
        )


def _open_part(path: Path, part: dict[str, Any], vocab: Vocabulary) -> Tokens:
    if not path.is_file():
        raise RunError(f"{path} is missing: read the text again")
    if files.sha256_of(path) != part["sha256"]:
        raise RunError(f"{path} is damaged: its content has changed; read the text again")
    if path.stat().st_size == 0:  # a text without a validation part
        return np.empty(0, token_dtype(len(vocab)))
    return open_tokens(path, len(vocab))
