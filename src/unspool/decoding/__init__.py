"""Generate sequences with any model that steps."""

from .beam import Hypotheses, beam_search
from .sampling import sample, stream
from .stepper import LanguageStepper, Stepper, round_weights, without_unknown
from .transforms import Temperature, TopK, TopP, make_transforms

__all__ = [
    "Hypotheses",
    "LanguageStepper",
    "Stepper",
    "Temperature",
    "TopK",
    "TopP",
    "beam_search",
    "make_transforms",
    "round_weights",
    "sample",
    "stream",
    "without_unknown",
]
