"""Generating sequences from any model that steps."""

from .sampling import sample, stream
from .stepper import LanguageStepper, Stepper
from .text import stream_text
from .transforms import Temperature, TopK, TopP, make_transforms

__all__ = [
    "LanguageStepper",
    "Stepper",
    "Temperature",
    "TopK",
    "TopP",
    "make_transforms",
    "sample",
    "stream",
    "stream_text",
]
