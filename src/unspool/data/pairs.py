"""Sentence pairs: read parallel text and encode it for an encoder and a decoder."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from .. import files
from ..errors import ConfigError, DataError, RunError
from .hold_out import held_out, overlap_note, repeats_note
from .sentences import Sentences
from .sequences import Sequences, load_sequences, save_sequences
from .sources import read_all_lines
from .text_files import (
    STANDARD_INPUT,
    STANDARD_INPUT_NAME,
    as_file,
    check_standard_input,
    read_lines,
)
from .vocabularies import load_vocabulary
from .words import one_spaced

DESCRIPTION, ARRAYS = "pairs.json", "pairs.npz"
SOURCE, TARGET = "source", "target"  # folders of the two vocabularies
_NAMED = 3  # lines that a note names


class Lines(NamedTuple):
    """Sentence pairs, and where each is in its file."""

    source: list[str]
    target: list[str]
    where: list[str]

    def take(self, numbers: list[int]) -> "Lines":
        """Take these pairs, in this order."""
        return Lines(*([column[i] for i in numbers] for column in self))


class Pairs(NamedTuple):
    """N encoded pairs; both sides of pair n end with END."""

    source: Sequences
    target: Sequences

    @property
    def lengths(self) -> np.ndarray:
        """The length of the longer side of each pair."""
        return np.maximum(self.source.lengths, self.target.lengths)

    def padded(self, rows: np.ndarray, steps: int) -> "PairBatch":
        """Return these rows, both sides padded to `steps`; row -1 is all padding."""
        source, target = self.source.padded(rows, steps), self.target.padded(rows, steps)
        return PairBatch(source.inputs, source.lengths, target.inputs, target.lengths)


class PairBatch(NamedTuple):
    """B pairs: ids (B, T) of both sides, padded to the same T, and lengths (B,)."""

    source: np.ndarray
    source_lengths: np.ndarray
    target: np.ndarray
    target_lengths: np.ndarray


@dataclass(frozen=True, eq=False)
class PairData:
    """Encoded sentence pairs to train on and held out; if `shared`, both have one vocabulary."""

    source: Sentences
    target: Sentences
    shared: bool
    train: Pairs
    val: Pairs
    notes: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        source: str | Path,
        target: str | Path | None = None,
        *,
        val_source: str | Path | None = None,
        val_target: str | Path | None = None,
        val_fraction: float = 0.05,
        tokens: str = "bpe",
        shared: bool = True,
        vocab_size: int | None = None,
        min_count: int | None = None,
        max_length: int = 100,
        seed: int = 0,
    ) -> Self:
        """Read two files, aligned line by line, or without `target` one TSV of both languages.

        Without `val_source`, `val_fraction` of the pairs is held out, the same for the same seed.
        The vocabularies come from the training part alone. Pairs with an empty side, and training
        pairs of more than `max_length` tokens on a side, are left out and counted in `notes`.
        Raises DataError, naming file and line, if the data cannot be used.
        """
        check_standard_input((source, target, val_source, val_target))
        train, notes = without_empty(read_parallel(source, target))
        if val_source is None:
            if val_target is not None:
                raise ConfigError("val_target needs val_source: name both files")
            inputs = list(map(one_spaced, train.source))
            notes += repeats_note(inputs, "sentence pairs")
            none = [""] * len(inputs)
            numbers = held_out(none, val_fraction, seed, inputs=inputs, option="val_source")
            train, val = map(train.take, numbers)
        else:
            val, more = without_empty(read_parallel(val_source, val_target))
            notes += more
        sides = _build(train, tokens, shared, vocab_size, min_count)
        encoded = encode_lines(train, *sides)
        kept, left_out = _within(encoded, max_length, train.where)
        held = encode_lines(val, *sides)
        sizes = f"{len(kept.lengths):,} sentence pairs to train on, {len(held.lengths):,} held out"
        if val_source is not None:
            notes += overlap_note(
                kept.source.contents(), held.source.contents(), "held-out sentences"
            )
        notes = [sizes, *notes, *left_out, _vocabulary(*sides), *_unknown(held, *sides)]
        return cls(*sides, shared, kept, held, tuple(notes))

    def save(self, directory: Path) -> None:
        """Write everything to a directory that may not exist yet."""
        self.save_vocabularies(directory)
        parts = {"train": self.train, "val": self.val}
        sides = {f"{p}_{s}": getattr(v, s) for p, v in parts.items() for s in Pairs._fields}
        save_sequences(directory / ARRAYS, **sides)
        files.write_json(directory / DESCRIPTION, {"shared": self.shared, "notes": self.notes})

    def save_vocabularies(self, directory: Path) -> None:
        """Write both vocabularies, or the one that both languages share."""
        for name, side in ((SOURCE, self.source), (TARGET, self.target)):
            (directory / name).mkdir(parents=True, exist_ok=True)
            side.vocab.save(directory / name)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Undo `save`. Raises RunError if a file is missing or damaged."""
        described = files.read_json(directory / DESCRIPTION, RunError)
        arrays = load_sequences(directory / ARRAYS)
        try:
            train, val = (Pairs(*(arrays[f"{p}_{s}"] for s in Pairs._fields)) for p in _PARTS)
            shared, notes = bool(described["shared"]), files.strings(described["notes"])
        except (KeyError, TypeError) as error:
            raise RunError(f"{directory / DESCRIPTION} is damaged: {error} is missing") from error
        return cls(*load_sentences(directory), shared, train, val, notes)

    def fingerprint(self) -> str:
        """Return the SHA-256 of all pairs, to detect changes."""
        return files.sha256_of_text(
            "\n".join(side.fingerprint() for part in (self.train, self.val) for side in part)
        )


_PARTS = ("train", "val")


def load_sentences(directory: Path) -> tuple[Sentences, Sentences]:
    """Load the two vocabularies that `PairData.save_vocabularies` wrote."""
    return (
        Sentences(load_vocabulary(directory / SOURCE)),
        Sentences(load_vocabulary(directory / TARGET)),
    )


def read_parallel(source: str | Path, target: str | Path | None = None) -> Lines:
    """Pair line N of one file with line N of the other; without `target`, the source is a TSV of
    both; "-" is standard input. Raises DataError, naming the first line without a partner, if the
    files differ in length.
    """
    check_standard_input((source, target))
    if target is None:
        return _table(source)
    texts = [_lines(source), _lines(target)]
    source, target = _shown(source), _shown(target)
    short, long = sorted(zip(map(len, texts), (source, target), strict=True), key=lambda x: x[0])
    if short[0] != long[0]:
        raise DataError(
            f"{short[1]} has {short[0]:,} lines and {long[1]} {long[0]:,}: line {short[0] + 1} of "
            f"{long[1]} has no partner"
        )
    where = [f"{source} line {n}" for n in range(1, len(texts[0]) + 1)]
    return Lines(texts[0], texts[1], where)


def read_sentences(source: str | Path) -> tuple[list[str], list[str | None], tuple[str, ...]]:
    """Read sentences to translate, their translations (None if missing), and notes.

    Every line of a file, of standard input ("-") or of the files of a folder is a sentence, an
    empty line too; if every line has exactly one tab, the translation follows it.
    """
    lines, notes = read_all_lines(source)
    full = [line for line in lines if line.strip()]
    if not full or any(line.count("\t") != 1 for line in full):
        return lines, [None] * len(lines), notes
    cells = [line.partition("\t") for line in lines]
    note = f"{_shown(source)}: read as lines SOURCE<TAB>TARGET, since every line has one tab"
    return [cell[0] for cell in cells], [cell[2] for cell in cells], (*notes, note)


def _lines(source: str | Path) -> list[str]:
    with as_file(source) as path:
        return read_lines(path)


def _shown(source: str | Path) -> str:
    return STANDARD_INPUT_NAME if source == STANDARD_INPUT else str(source)


def _table(source: str | Path) -> Lines:
    rows, path = [], _shown(source)
    for number, line in enumerate(_lines(source), start=1):
        cells = line.split("\t")
        if len(cells) != 2:
            raise DataError(
                f"{path} line {number}: must be SOURCE<TAB>TARGET, got {len(cells)} columns",
                "name one .tsv of both languages, or a file of each",
            )
        rows.append((*cells, f"{path} line {number}"))
    return Lines(*map(list, zip(*rows, strict=True))) if rows else Lines([], [], [])


def without_empty(lines: Lines) -> tuple[Lines, list[str]]:
    """Keep the pairs with words on both sides, and note the others. Raises DataError if none is
    left.
    """
    full = [i for i, pair in enumerate(zip(*lines[:2], strict=True)) if all(map(str.strip, pair))]
    if not full:
        raise DataError("there is no sentence pair with words on both sides: check the files")
    usable = set(full)
    empty = [where for i, where in enumerate(lines.where) if i not in usable]
    return lines.take(full), _note(empty, "pairs left out: a side is empty")


def encode_lines(lines: Lines, source: Sentences, target: Sentences) -> Pairs:
    """Encode both sides as ids."""
    none = [0] * len(lines.where)
    return Pairs(
        Sequences.join([source.encode(text) for text in lines.source], none),
        Sequences.join([target.encode(text) for text in lines.target], none),
    )


def _build(
    lines: Lines, tokens: str, shared: bool, vocab_size: int | None, min_count: int | None
) -> tuple[Sentences, Sentences]:
    if shared:
        both = Sentences.build(lines.source + lines.target, tokens, vocab_size, min_count)
        return both, both
    return (
        Sentences.build(lines.source, tokens, vocab_size, min_count),
        Sentences.build(lines.target, tokens, vocab_size, min_count),
    )


def _within(pairs: Pairs, most: int, where: list[str]) -> tuple[Pairs, list[str]]:
    kept = pairs.lengths <= most
    if kept.all():
        return pairs, []
    if not kept.any():
        raise DataError(f"every sentence pair has more than {most} tokens: raise max_length")
    sides = []
    for side in pairs:
        rows = [row for row, keep in zip(side.split(), kept, strict=True) if keep]
        sides.append(Sequences.join(rows, [0] * len(rows)))
    long = [place for place, keep in zip(where, kept, strict=True) if not keep]
    return Pairs(*sides), _note(long, f"pairs left out: more than {most} tokens (max_length)")


def _vocabulary(source: Sentences, target: Sentences) -> str:
    if source is target:
        return f"vocabulary: {source.vocab.known:,} tokens"
    sizes = f"{source.vocab.known:,} and {target.vocab.known:,} tokens"
    return f"vocabularies of source and target: {sizes}"


def _unknown(pairs: Pairs, source: Sentences, target: Sentences) -> list[str]:
    """Note the share of unknown tokens in the held-out part."""
    counts = source.unknown(pairs.source), target.unknown(pairs.target)
    totals = len(pairs.source.values), len(pairs.target.values)
    if not any(counts):
        return []
    shares = (f"{n:,} of {total:,}" for n, total in zip(counts, totals, strict=True))
    return ["held-out tokens unknown, source and target: " + ", ".join(shares)]


def _note(places: list[str], what: str) -> list[str]:
    if not places:
        return []
    named = ", ".join(places[:_NAMED]) + (", ..." if len(places) > _NAMED else "")
    return [f"{len(places):,} {what} ({named})"]
