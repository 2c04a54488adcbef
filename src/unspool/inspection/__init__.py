"""What a network learned: its states and gates on a text, and what its cells stand for."""

from .annotations import Annotation, annotate
from .next_tokens import NextTokens, next_tokens
from .passes import Block, trace_model
from .trace import Spans, Trace, cell_quantity
from .units import UnitScore, best_units, score_units

__all__ = [
    "Annotation",
    "Block",
    "NextTokens",
    "Spans",
    "Trace",
    "UnitScore",
    "annotate",
    "best_units",
    "cell_quantity",
    "next_tokens",
    "score_units",
    "trace_model",
]
