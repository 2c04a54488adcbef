"""The training loop, its options and its files."""

from .config import TrainingConfig
from .loop import train
from .reports import (
    CheckpointReport,
    EvalReport,
    Report,
    StartReport,
    StepReport,
    StopReport,
)

__all__ = [
    "CheckpointReport",
    "EvalReport",
    "Report",
    "StartReport",
    "StepReport",
    "StopReport",
    "TrainingConfig",
    "train",
]
