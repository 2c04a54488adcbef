"""Vocabularies with many tokens: words by frequency, and byte-level BPE.

Both tokenise line by line (a line includes its newline, and is cut after 65,536
characters), so a text that is streamed in blocks of any size has the same tokens.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any, Self

import numpy as np

from ..errors import DataError
from .vocab import Ids, Pieces, Places, Vocabulary, encoded

# Possessive quantifiers keep a very long line linear.
_LINE = re.compile(r"[^\n]{0,65535}+\n|[^\n]{1,65536}+")

# A word or a run of signs with the one space before it, a newline, or other white space up
# to that space. Every character is in one of these, so the matches join up to the text.
_WORD = re.compile(r" ?<unk>| ?\w+| ?[^\s\w]+|\n|[^\S\n]+(?!\S)|[^\S\n]+")

# With the leading space of most words that it stands for, so that samples read well.
UNKNOWN_WORD = " <unk>"


def lines(pieces: Pieces) -> Iterator[list[str]]:
    """Yield the complete lines of a text that comes in pieces, in lists."""
    rest = ""
    for piece in pieces:
        encoded(piece)  # refuses lone surrogates before a tokenizer meets them
        found = _LINE.findall(rest + piece)
        rest = found.pop() if found and not found[-1].endswith("\n") else ""
        if found:
            yield found
    if rest:
        yield [rest]


class WordVocabulary(Vocabulary):
    """Words with their leading space; id 0 is `<unk>`, then the most frequent first.

    Joining the tokens of a text gives the text wherever no word was unknown. The order by
    frequency is what a log-uniform sampled softmax relies on.
    """

    kind = "word"
    unknown_id = 0

    def __init__(self, words: list[str]) -> None:
        """Take all tokens in order of ids, `UNKNOWN_WORD` first."""
        super().__init__([encoded(word) for word in words])
        self.words = words
        self._id_of = {word: index for index, word in enumerate(words)}

    @classmethod
    def build(cls, pieces: Pieces, vocab_size: int, min_count: int) -> Self:
        """Count the words of `pieces` and keep the `most_frequent`."""
        counts: Counter[str] = Counter()
        for line in chain.from_iterable(lines(pieces)):
            counts.update(_WORD.findall(line))
        return cls.most_frequent(counts, vocab_size, min_count)

    @classmethod
    def most_frequent(cls, counts: Counter[str], vocab_size: int, min_count: int) -> Self:
        """The `vocab_size - 1` most frequent words that occur `min_count` times; ties by text."""
        del counts[UNKNOWN_WORD]
        frequent = [word for word, count in counts.items() if count >= min_count]
        frequent.sort(key=lambda word: (-counts[word], word))
        return cls([UNKNOWN_WORD, *frequent[: vocab_size - 1]])

    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the ids of the words of each group of lines."""
        id_of = self._id_of.get
        for group in lines(pieces):
            words = chain.from_iterable(map(_WORD.findall, group))
            yield np.array([id_of(word, 0) for word in words], np.int32)

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """Ids, and the places of each word's first and last character (also of unknown words)."""
        words = chain.from_iterable(map(_WORD.findall, chain.from_iterable(lines([text]))))
        ends = np.cumsum([0, *map(len, words)])
        return self.encode(text), ends[:-1], ends[1:] - 1

    def id_of(self, word: str) -> int:
        """The id of one token; 0, that of `<unk>`, for others."""
        return self._id_of.get(word, 0)

    def to_json(self) -> dict[str, Any]:
        """The words in order of ids."""
        return {"kind": self.kind, "words": self.words}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Undo `to_json`."""
        words = value.get("words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise DataError("words must be a list of strings")
        if words[:1] != [UNKNOWN_WORD] or len(set(words)) != len(words):
            raise DataError(f"words must be distinct and begin with {UNKNOWN_WORD!r}")
        return cls(words)


class BpeVocabulary(Vocabulary):
    """Byte-level byte pair encoding (Sennrich et al. 2016) by the `tokenizers` library.

    The 256 bytes are tokens, so every text is representable and nothing is unknown.
    """

    kind = "bpe"
    file_name = "tokenizer.json"

    def __init__(self, specification: dict[str, Any]) -> None:
        """Take the content of a `tokenizer.json`."""
        import tokenizers  # here, as it takes a tenth of a second that other kinds can save

        self._tokenizer = tokenizers.Tokenizer.from_str(json.dumps(specification))
        super().__init__(_token_bytes(self._tokenizer.get_vocab()))
        # Kept as read: another version of the library may write it differently.
        self._specification = specification

    @classmethod
    def build(cls, pieces: Pieces, vocab_size: int, min_count: int) -> Self:
        """Merge the most frequent pairs until there are `vocab_size` tokens."""
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_count,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(lines(pieces), trainer)
        return cls(json.loads(tokenizer.to_str()))

    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the ids of each group of lines."""
        for group in lines(pieces):
            encodings = self._tokenizer.encode_batch_fast(group, add_special_tokens=False)
            yield np.array(list(chain.from_iterable(e.ids for e in encodings)), np.int32)

    def to_json(self) -> dict[str, Any]:
        """The content of `tokenizer.json`, which the `tokenizers` library reads too."""
        return self._specification

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Undo `to_json`."""
        _check_specification(value)
        try:
            return cls(value)
        except DataError:
            raise
        except Exception as error:  # the library raises bare Exception
            raise DataError(f"the tokenizer is not valid: {error}") from error


def _check_specification(value: dict[str, Any]) -> None:
    """Refuse tokenizers whose tokens do not join up to the text."""
    splitter = value.get("pre_tokenizer")
    if not isinstance(splitter, dict) or splitter.get("type") != "ByteLevel":
        raise DataError("the tokenizer's pre_tokenizer must be of type ByteLevel")
    if splitter.get("add_prefix_space") or value.get("normalizer") or value.get("added_tokens"):
        raise DataError("the tokenizer must have no prefix space, normalizer or added tokens")


def _token_bytes(id_of: dict[str, int]) -> list[bytes]:
    """The bytes of each token, in order of ids."""
    if sorted(id_of.values()) != list(range(len(id_of))):
        raise DataError("the tokenizer's ids must be 0, 1, 2, ... without gaps")
    byte_of = _byte_of_letter()
    if not byte_of.keys() <= id_of.keys() or not set("".join(id_of)) <= byte_of.keys():
        raise DataError("the tokenizer's tokens must be made of the 256 byte letters")
    tokens = sorted(id_of, key=id_of.__getitem__)
    return [bytes(byte_of[letter] for letter in token) for token in tokens]


def _byte_of_letter() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes stand for themselves, others for U+0100 onwards."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }
