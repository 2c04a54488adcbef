"""Inspect what a network learned: its states and gates on a text, and what its units stand for."""

from .annotations import Annotation, annotate
from .gradients import GradientFlow, gradient_flow
from .next_tokens import NextTokens, next_tokens
from .passes import Block, trace_model
from .trace import Spans, Trace, cell_quantity
from .units import UnitScore, best_units, score_units

__all__ = [
    "Annotation",
    "Block",
    "GradientFlow",
    "NextTokens",
    "Spans",
    "Trace",
    "UnitScore",
    "annotate",
    "best_units",
    "cell_quantity",
    "gradient_flow",
    "next_tokens",
    "score_units",
    "trace_model",
]
