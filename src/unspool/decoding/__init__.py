"""Generating sequences from any model that steps."""

from .sampling import sample, stream
from .stepper import LanguageStepper, Stepper, round_weights
from .text import stream_text
from .transforms import Temperature, TopK, TopP, make_transforms

__all__ = [
    "LanguageStepper",
    "Stepper",
    "Temperature",
    "TopK",
    "TopP",
    "make_transforms",
    "round_weights",
    "sample",
    "stream",
    "stream_text",
]
