"""Where a run stands, as it is saved beside the arrays."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from .config import STEPS


@dataclass
class Progress:
    """Where a run stands: with the arrays of `Learner`, all that resuming needs."""

    step: int = 0  # batches used so far, which is also the data position
    elapsed_s: float = 0.0
    rate_scale: float = 1.0  # halved at every non-finite loss
    skipped_in_row: int = 0
    best_val_loss_nats: float | None = None
    best_objective: list[float] | None = None  # what "best" is decided by; lower is better
    evaluations_since_best: int = 0
    last_evaluation: int = 0

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Progress":
        """What was saved; before `best_objective` was kept, the loss alone decided.

        Raises TypeError or ValueError for values that were never saved.
        """
        progress = cls(**facts)
        for field in dataclasses.fields(cls):
            value = getattr(progress, field.name)
            if type(field.default) is int and not (type(value) is int and 0 <= value < STEPS):
                raise ValueError(field.name)
        best, objective = progress.best_val_loss_nats, progress.best_objective
        if "best_objective" not in facts:
            objective = progress.best_objective = [best] if best else None
        numbers = [progress.elapsed_s, progress.rate_scale, *(objective or ())]
        if not isinstance(objective, list | None) or not all(
            map(math.isfinite, numbers if best is None else [*numbers, best])
        ):
            raise ValueError("a loss or time is not a finite number")
        return progress
