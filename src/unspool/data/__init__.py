"""Data for training: vocabularies, texts, labelled sequences, pairs, pictures. Needs no JAX."""

from .arrays import read_arrays
from .caption_data import CaptionBatch, CaptionData, CaptionPart
from .caption_files import Captions, Pair, match_names, pair, read_captions
from .corpora import CORPORA
from .encoders import (
    LAYOUTS,
    Encoder,
    ImageEncoder,
    SeriesEncoder,
    TextEncoder,
    load_encoder,
)
from .grey import GreyEncoder, binarised
from .hold_out import content_key, held_out, overlap_note, repeats_note
from .images import read_images
from .label_files import BOUNDARY, Rows, form_of, one_line, read_labelled
from .labelled_data import LabelledData, cut_notes, encode_rows
from .left_out import LeftOut
from .pairs import (
    PairBatch,
    PairData,
    Pairs,
    load_sentences,
    read_parallel,
    read_sentences,
)
from .picture_files import Pictures
from .pixels import decode_picture
from .sentences import Sentences
from .sequences import Batch, Buckets, Sequences, bucket_bounds, in_order_of_length
from .series import read_series
from .sources import open_sources
from .streams import (
    Chunk,
    Lanes,
    evaluation_chunks,
    evaluation_windows,
    open_tokens,
    write_tokens,
)
from .tars import is_tar
from .text import Size, Text, fingerprint_sources
from .text_files import (
    check_standard_input,
    looks_like_path,
    numbered_lines,
    read_lines,
    read_pieces,
    suffix_of,
)
from .unlabelled import join_rows, read_unlabelled
from .vocab import StreamDecoder, Vocabulary
from .vocabularies import (
    VOCABULARIES,
    build_vocabulary,
    load_vocabulary,
    vocabulary_from_json,
)
from .words import FEW_REPEAT, words_of, words_seen_once

__all__ = [
    "BOUNDARY",
    "CORPORA",
    "FEW_REPEAT",
    "LAYOUTS",
    "VOCABULARIES",
    "Batch",
    "Buckets",
    "CaptionBatch",
    "CaptionData",
    "CaptionPart",
    "Captions",
    "Chunk",
    "Encoder",
    "GreyEncoder",
    "ImageEncoder",
    "LabelledData",
    "Lanes",
    "LeftOut",
    "Pair",
    "PairBatch",
    "PairData",
    "Pairs",
    "Pictures",
    "Rows",
    "Sentences",
    "Sequences",
    "SeriesEncoder",
    "Size",
    "StreamDecoder",
    "Text",
    "TextEncoder",
    "Vocabulary",
    "binarised",
    "bucket_bounds",
    "build_vocabulary",
    "check_standard_input",
    "content_key",
    "cut_notes",
    "decode_picture",
    "encode_rows",
    "evaluation_chunks",
    "evaluation_windows",
    "fingerprint_sources",
    "form_of",
    "held_out",
    "in_order_of_length",
    "is_tar",
    "join_rows",
    "load_encoder",
    "load_sentences",
    "load_vocabulary",
    "looks_like_path",
    "match_names",
    "numbered_lines",
    "one_line",
    "open_sources",
    "open_tokens",
    "overlap_note",
    "pair",
    "read_arrays",
    "read_captions",
    "read_images",
    "read_labelled",
    "read_lines",
    "read_parallel",
    "read_pieces",
    "read_sentences",
    "read_series",
    "read_unlabelled",
    "repeats_note",
    "suffix_of",
    "vocabulary_from_json",
    "words_of",
    "words_seen_once",
    "write_tokens",
]
