"""What a network learned: its states and gates on a text, and what its cells stand for."""

from .next_tokens import NextTokens, next_tokens
from .passes import Block, trace_model
from .trace import Spans, Trace, cell_quantity

__all__ = [
    "Block",
    "NextTokens",
    "Spans",
    "Trace",
    "cell_quantity",
    "next_tokens",
    "trace_model",
]
