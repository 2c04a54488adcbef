"""The progress of a run, as it is saved with the arrays."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from .config import STEPS
from .task import LOSS, Evaluation

RECOVERY_STEPS = 100  # finite steps after which a halved learning rate doubles


@dataclass
class Progress:
    """The progress of a run: with the arrays of `Learner`, everything that resuming needs."""

    step: int = 0  # batches used so far, which is also the position in the data
    elapsed_s: float = 0.0
    rate_scale: float = 1.0  # halved at every non-finite loss, doubled again after finite steps
    skipped_in_row: int = 0
    sound_in_row: int = 0  # since the last skipped step, or the last doubling
    best_val_loss_nats: float | None = None  # of the best weights
    best_value: float | None = None  # the figure that chose them: the loss, or a metric
    best_rank: list[float] | None = None  # decides which weights are best; lower is better
    best_by: str = LOSS
    best_step: int = 0
    evaluations_since_best: int = 0
    last_evaluation: int = 0

    def count_step(self, skipped: bool) -> None:
        """Count a step. A loss that is not finite halves the learning rate, which doubles again, up
        to its full value, after every 100 finite steps in a row.
        """
        self.step += 1
        self.skipped_in_row = self.skipped_in_row + 1 if skipped else 0
        self.sound_in_row = 0 if skipped else self.sound_in_row + 1
        if skipped:
            self.rate_scale *= 0.5
        elif self.sound_in_row == RECOVERY_STEPS:
            self.rate_scale, self.sound_in_row = min(1.0, 2 * self.rate_scale), 0

    def keep_best(self, evaluation: Evaluation) -> None:
        """Remember the evaluation of the current weights, which are the best so far."""
        self.best_val_loss_nats = evaluation.loss_nats
        self.best_by, self.best_value = evaluation.best_by, evaluation.best_value
        self.best_rank, self.best_step = evaluation.rank, self.step

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Progress":
        """Restore saved progress. Raises TypeError or ValueError if a value cannot be one."""
        progress = cls(**facts)
        for field in dataclasses.fields(cls):
            value = getattr(progress, field.name)
            if type(field.default) is int and not (type(value) is int and 0 <= value < STEPS):
                raise ValueError(field.name)
        if not isinstance(progress.best_rank, list | None):
            raise TypeError("best_rank")
        best = (progress.best_val_loss_nats, progress.best_value, *(progress.best_rank or ()))
        numbers = [progress.elapsed_s, progress.rate_scale, *(x for x in best if x is not None)]
        if not all(map(math.isfinite, numbers)):
            raise ValueError("a loss or time is not a finite number")
        return progress
