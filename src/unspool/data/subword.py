"""Vocabularies with many tokens: words by frequency, and byte-level BPE.

Both tokenise line by line (a line includes its newline, and is cut after 65,536
characters), so a text that is streamed in blocks of any size has the same tokens.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any, Self

import numpy as np

from ..errors import DataError
from ..limits import MAX_TOKEN, MAX_TOKENS
from .vocab import Ids, Pieces, Places, Unknown, Vocabulary, encoded
from .words import MARK, WORD_RULE, is_word, spaced_splitter

# Possessive quantifiers keep very long lines linear.
_LINE = re.compile(r"[^\n]{0,65535}+\n|[^\n]{1,65536}+")

# With the leading space that most words have, so that samples read well.
UNKNOWN_WORD = " <unk>"


def lines(pieces: Pieces) -> Iterator[list[str]]:
    """Yield the complete lines of a text that comes in pieces, in lists."""
    rest = ""
    for piece in pieces:
        encoded(piece)  # refuses lone surrogates before a tokenizer sees them
        found = _LINE.findall(rest + piece)
        rest = found.pop() if found and not found[-1].endswith("\n") else ""
        if found:
            yield found
    if rest:
        yield [rest]


class WordVocabulary(Vocabulary):
    """Words with their leading space; id 0 is `<unk>`, then the most frequent first.

    Joining the tokens of a text gives the text, except for unknown words and for words that are
    known only with (or only without) the space before them, which replace each other.

    Whatever the tokens leave open costs bits too (see `unknown`). `letters` counts the characters
    of the words of the training text, and "" their ends: the model that spells unknown words, each
    character independently, every count plus one; all characters without a count share one count
    evenly. `replaced` counts the words of the training text that are replaced by another, and all
    its words. `rule` says what a word is (see `words`).
    """

    kind = "word"
    unknown_id = 0

    def __init__(
        self,
        words: list[str],
        letters: dict[str, int] | None = None,
        replaced: tuple[int, int] = (0, 0),
        rule: int = WORD_RULE,
    ) -> None:
        """Take all tokens in order of ids, `UNKNOWN_WORD` first; without `letters`, those of
        `words`.
        """
        super().__init__([encoded(word) for word in words])
        self.words, self.replaced, self.rule = words, replaced, rule
        self.letters = _letters(Counter(words[1:])) if letters is None else letters
        self._id_of = {word: index for index, word in enumerate(words)}
        self._split = spaced_splitter(rule).findall
        self._spread = math.log(sum(self.letters.values()) + len(self.letters) + 1)

    @classmethod
    def build(cls, pieces: Pieces, vocab_size: int, min_count: int) -> Self:
        """Count the words of `pieces` and keep the `most_frequent`."""
        counts: Counter[str] = Counter()
        split = spaced_splitter().findall
        for line in chain.from_iterable(lines(pieces)):
            counts.update(split(line))
        return cls.most_frequent(counts, vocab_size, min_count)

    @classmethod
    def most_frequent(cls, counts: Counter[str], vocab_size: int, min_count: int) -> Self:
        """Keep the `vocab_size - 1` most frequent words with at least `min_count`; ties by text."""
        del counts[UNKNOWN_WORD]
        frequent = [word for word, count in counts.items() if count >= min_count]
        frequent.sort(key=lambda word: (-counts[word], word))
        words = [UNKNOWN_WORD, *frequent[: vocab_size - 1]]
        made = cls(words, _letters(counts))
        made.replaced = (sum(counts[word] for word in counts if made._other(word)), counts.total())
        return made

    def encode_pieces(self, pieces: Pieces) -> Iterator[Ids]:
        """Yield the ids of the words of each group of lines."""
        for words in self._groups(pieces):
            yield np.array([self.id_of(word) for word in words], np.int32)

    def _groups(self, pieces: Pieces) -> Iterator[list[str]]:
        for group in lines(pieces):
            yield list(chain.from_iterable(map(self._split, group)))

    def unknown_in(self, pieces: Pieces) -> Iterator[str]:
        """Yield the unknown words, with the space before them."""
        for words in self._groups(pieces):
            yield from (word for word in words if self.id_of(word) == 0)

    def unknown(self, pieces: Pieces) -> Unknown:
        """Return the unknown words, and the cost of spelling them and of saying of each other word
        whether it is replaced by another: -ln p of that, with p = (replaced + 1) / (words + 2).
        """
        unknown, others, words, nats = 0, 0, 0, 0.0
        for group in self._groups(pieces):
            words += len(group)
            for word in group:
                if self.id_of(word) == 0:
                    unknown += 1
                    nats += self.spelling_nats(word)
                elif self._other(word):
                    others += 1
        if others or self.replaced[0]:
            rare = (self.replaced[0] + 1) / (self.replaced[1] + 2)
            nats -= others * math.log(rare) + (words - unknown - others) * math.log1p(-rare)
        return Unknown(unknown, nats)

    def spelling_nats(self, token: str) -> float:
        """Return -ln of the product of p(character) = (count + 1) / (all counts + kinds + 1), with
        the word's end; a character without a count is one of 1,114,112 that share the remaining 1.
        """
        known = [self.letters.get(char) for char in (*token, "")]
        nats = sum(self._spread - math.log(count + 1) for count in known if count is not None)
        return nats + known.count(None) * (self._spread + math.log(0x110000))

    def first_token(self, text: str) -> str:
        """Return the first word, known or not."""
        return next(iter(self._split(next(lines([text]))[0])))

    def spans(self, text: str) -> tuple[Ids, Places, Places]:
        """Return ids, and the places of each word's first and last character (of unknown words
        too).
        """
        ends = np.cumsum([0, *map(len, chain.from_iterable(self._groups([text])))])
        return self.encode(text), ends[:-1], ends[1:] - 1

    def id_of(self, word: str) -> int:
        """Return the id of a word, or else of the same word with or without a space before it;
        otherwise 0, the id of `<unk>`.
        """
        found = self._id_of.get(word)
        return self._other(word) if found is None else found

    def _other(self, word: str) -> int:
        """Return the id of the word that replaces an unknown one; 0 if there is none."""
        if word in self._id_of or self.rule == 1 or not is_word(word):
            return 0
        return self._id_of.get(word[1:] if word[0] == " " else f" {word}", 0)

    def to_json(self) -> dict[str, Any]:
        """Return the words in order of ids, and the counts that spell others."""
        value = {"kind": self.kind, "words": self.words}
        new = {"rule": self.rule, "letters": self.letters, "replaced": list(self.replaced)}
        return value if self.rule == 1 else {**value, **new}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Undo `to_json`."""
        words = value.get("words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise DataError("words must be a list of strings")
        _check_bounds(words)
        if words[:1] != [UNKNOWN_WORD] or len(set(words)) != len(words):
            raise DataError(f"words must be distinct and start with {UNKNOWN_WORD!r}")
        rule, letters = value.get("rule", 1), value.get("letters")
        if rule not in (1, 2) or isinstance(rule, bool):
            raise DataError(f"rule must be 1 or 2, got {rule!r}: upgrade unspool")
        if rule == 1:
            return cls(words, rule=rule)
        if not isinstance(letters, dict) or not all(map(_is_count, letters.values())):
            raise DataError("letters must be an object of counts")
        replaced = value.get("replaced")
        if (
            not isinstance(replaced, list)
            or len(replaced) != 2
            or not all(map(_is_count, replaced))
        ):
            raise DataError("replaced must be two counts")
        if replaced[0] > replaced[1]:
            raise DataError(f"replaced must be a part of all words, got {replaced}")
        return cls(words, letters, (replaced[0], replaced[1]), rule)


def _check_bounds(tokens: Collection[str]) -> None:
    if len(tokens) > MAX_TOKENS or any(len(token) > MAX_TOKEN for token in tokens):
        raise DataError(f"there must be at most {MAX_TOKENS:,} tokens of {MAX_TOKEN:,} letters")


def _letters(counts: Counter[str]) -> dict[str, int]:
    """Count each character of the counted words, and their ends ("")."""
    letters: Counter[str] = Counter()
    for word, count in counts.items():
        for char in (*word, ""):
            letters[char] += count
    return dict(sorted(letters.items()))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


class BpeVocabulary(Vocabulary):
    """Byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909) of bytes instead of characters
    (Radford et al. 2019, GPT-2), by the `tokenizers` library.

    The 256 bytes are tokens, so every text is representable and nothing is unknown.
    """

    kind = "bpe"
    file_name = "tokenizer.json"

    def __init__(self, specification: dict[str, Any]) -> None:
        """Take the content of a `tokenizer.json`; only its vocabulary, its merges and the kind of
        splitting matter.
        """
        from tokenizers import Tokenizer, models  # imported here, as it takes a tenth of a second

        model = specification["model"]
        id_of: dict[str, int] = model["vocab"]
        super().__init__(_token_bytes(id_of))
        self._tokenizer = Tokenizer(models.BPE(id_of, [tuple(m) for m in _merges(model)]))
        self._tokenizer.pre_tokenizer = _splitting(_rule_of(specification))
        # Kept as read: another version of the library may write it differently.
        self._specification = specification

    @classmethod
    def build(cls, pieces: Pieces, vocab_size: int, min_count: int) -> Self:
        """Merge the most frequent pairs until there are `vocab_size` tokens."""
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = _splitting(WORD_RULE)
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
        """Return the content of `tokenizer.json`, which the `tokenizers` library reads too."""
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


# GPT-2's pattern (which ByteLevel has built in), extended by marks after letters and digits.
_BPE_SPLIT = (
    rf"'s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}[\p{{L}}{MARK}]*| ?\p{{N}}[\p{{N}}{MARK}]*"
    r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)


def _splitting(rule: int) -> Any:
    """Return what splits a text before pairs are merged: GPT-2's rule, or ours (2)."""
    from tokenizers import Regex, pre_tokenizers

    if rule == 1:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_BPE_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _rule_of(value: dict[str, Any]) -> int:
    """Return which of the two rules a tokenizer.json has. Raises DataError if it has another."""
    splitter = value.get("pre_tokenizer")
    if isinstance(splitter, dict) and splitter.get("type") == "ByteLevel":
        if not splitter.get("add_prefix_space") and splitter.get("use_regex", True):
            return 1
    elif isinstance(splitter, dict) and splitter == json.loads(_splitting(2).__getstate__()):
        return 2
    raise DataError("the tokenizer's pre_tokenizer must be ByteLevel, or the one that Unspool sets")


def _merges(model: dict[str, Any]) -> list[list[str]]:
    """Return the pairs to merge; older files have both parts in one string."""
    found = model.get("merges")
    if not isinstance(found, list):
        raise DataError("the tokenizer's merges must be a list")
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in found]
    vocab = model["vocab"]
    for merge in merges:
        is_pair = isinstance(merge, list) and len(merge) == 2
        if not is_pair or not all(isinstance(part, str) and part in vocab for part in merge):
            raise DataError(f"each of the tokenizer's merges must be two tokens, got {merge!r:.60}")
        if "".join(merge) not in vocab:
            raise DataError(f"the tokenizer's merge {merge!r:.60} does not make a token")
    return merges


# Keys that the model may have besides vocabulary and merges, with values that change nothing.
_NEUTRAL: dict[str, Any] = {
    "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
    "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
}  # fmt: skip


def _check_specification(value: dict[str, Any]) -> None:
    """Raise DataError if the tokens of a tokenizer do not join up to the text."""
    model = value.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict):
        raise DataError("the tokenizer's model must have a vocabulary")
    for key, neutral in _NEUTRAL.items():
        if model.get(key, neutral) not in (neutral, ""):
            raise DataError(f"the tokenizer's {key} must be {neutral!r}, got {model[key]!r:.60}")
    if value.get("normalizer") or value.get("added_tokens"):
        raise DataError("the tokenizer must have no normalizer or added tokens")
    _check_bounds(model["vocab"])
    if not all(type(i) is int for i in model["vocab"].values()):
        raise DataError("the tokenizer's ids must be whole numbers")


def _token_bytes(id_of: dict[str, int]) -> list[bytes]:
    """Return the bytes of each token, in order of ids."""
    if sorted(id_of.values()) != list(range(len(id_of))):
        raise DataError("the tokenizer's ids must be 0, 1, 2, ... without gaps")
    byte_of = _byte_of_letter()
    if not byte_of.keys() <= id_of.keys() or not set("".join(id_of)) <= byte_of.keys():
        raise DataError("the tokenizer's tokens must be made of the 256 byte letters")
    tokens = sorted(id_of, key=id_of.__getitem__)
    return [bytes(byte_of[letter] for letter in token) for token in tokens]


def _byte_of_letter() -> dict[str, int]:
    """Return GPT-2's alphabet: printable bytes are themselves, others are U+0100 and up."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }
