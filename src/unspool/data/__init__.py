"""Texts as token ids: vocabularies, corpora, memory-mapped streams. Nothing here needs JAX."""

from .corpora import CORPORA
from .kinds import KINDS, build_vocabulary, load_vocabulary, vocabulary_from_json
from .sources import open_sources, read_pieces
from .streams import Chunk, Lanes, evaluation_chunks, open_tokens, write_tokens
from .text import Size, Text, fingerprint_sources
from .vocab import StreamDecoder, Vocabulary

__all__ = [
    "CORPORA",
    "KINDS",
    "Chunk",
    "Lanes",
    "Size",
    "StreamDecoder",
    "Text",
    "Vocabulary",
    "build_vocabulary",
    "evaluation_chunks",
    "fingerprint_sources",
    "load_vocabulary",
    "open_sources",
    "open_tokens",
    "read_pieces",
    "vocabulary_from_json",
    "write_tokens",
]
