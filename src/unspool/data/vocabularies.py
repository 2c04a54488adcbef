"""The four kinds of vocabulary by name: build one from a text, load a saved one."""

from pathlib import Path
from typing import Any

from .. import files
from ..errors import ConfigError, DataError, RunError
from ..limits import MAX_TOKENS
from .subword import BpeVocabulary, WordVocabulary
from .vocab import VOCABULARY_FILES, ByteVocabulary, CharVocabulary, Pieces, Vocabulary

VOCABULARIES: dict[str, type[Vocabulary]] = {
    kind.kind: kind for kind in (CharVocabulary, ByteVocabulary, WordVocabulary, BpeVocabulary)
}

# Defaults of vocab_size and min_count. Words seen once teach nothing but <unk>.
_DEFAULTS = {"word": (50_000, 2), "bpe": (4_096, 2)}
_SMALLEST = {"word": 2, "bpe": 256}


def build_vocabulary(
    kind: str,
    pieces: Pieces,
    *,
    vocab_size: int | None = None,
    min_count: int | None = None,
    unknown: bool = False,
) -> Vocabulary:
    """Build a vocabulary of `kind` ("char", "byte", "word", "bpe") in one pass over `pieces`.

    With `unknown`, characters not in `pieces` get a token; otherwise they are refused.

    `vocab_size` caps the tokens of "word" (50,000) and "bpe" (4,096); `min_count` is how often
    a word or pair has to occur (2). Raises `ConfigError` if a value is invalid.
    """
    check_options(kind, vocab_size, min_count)
    match kind:
        case "char":
            return CharVocabulary.build(pieces, unknown)
        case "byte":
            return ByteVocabulary()
    size, count = defaults(kind, vocab_size, min_count)
    build = WordVocabulary.build if kind == "word" else BpeVocabulary.build
    return build(pieces, size, count)


def defaults(kind: str, vocab_size: int | None, min_count: int | None) -> tuple[int, int]:
    """Return `vocab_size` and `min_count`, or the kind's default if one is not given."""
    size, count = _DEFAULTS[kind]
    return vocab_size or size, min_count or count


def check_options(kind: str, vocab_size: int | None, min_count: int | None) -> None:
    """Raise `ConfigError` if `build_vocabulary` could not use these options."""
    if kind not in VOCABULARIES:
        raise ConfigError(f"tokens must be one of {', '.join(VOCABULARIES)}, got {kind!r}")
    for name, value in (("vocab_size", vocab_size), ("min_count", min_count)):
        if value is not None and kind not in _DEFAULTS:
            raise ConfigError(f"{name} applies to tokens 'word' and 'bpe', not {kind!r}: drop it")
    if vocab_size is not None and vocab_size < _SMALLEST[kind]:
        raise ConfigError(
            f"vocab_size must be at least {_SMALLEST[kind]} for {kind} tokens, got {vocab_size}"
        )
    if vocab_size is not None and vocab_size > MAX_TOKENS:
        raise ConfigError(f"vocab_size must be at most {MAX_TOKENS:,}, got {vocab_size}")
    if min_count is not None and min_count < 1:
        raise ConfigError(f"min_count must be at least 1, got {min_count}")


def vocabulary_from_json(value: Any) -> Vocabulary:
    """Undo `Vocabulary.to_json` of any kind. Raises `DataError` if `value` is not a vocabulary."""
    if not isinstance(value, dict):
        raise DataError("a vocabulary must be a JSON object")
    kind = "bpe" if "model" in value else value.get("kind")
    if not isinstance(kind, str) or kind not in VOCABULARIES:
        raise DataError(f"kind must be one of {', '.join(VOCABULARIES)}, got {kind!r}")
    return VOCABULARIES[kind].from_json(value)


def load_vocabulary(directory: Path) -> Vocabulary:
    """Read what `Vocabulary.save` wrote. Raises `RunError`, naming the file, if it cannot be
    used.
    """
    found = [path for name in VOCABULARY_FILES if (path := Path(directory) / name).exists()]
    if not found:
        raise RunError(f"{directory} has no vocabulary: neither {' nor '.join(VOCABULARY_FILES)}")
    try:
        return vocabulary_from_json(files.read_json(found[0], RunError))
    except DataError as error:
        raise RunError(f"{found[0]} is damaged: {error}") from error
