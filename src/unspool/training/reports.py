"""Reports yielded by training, one class per kind of event."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class StartReport:
    """The first report: the size of the model, what runs its time loops and why, the data."""

    step: int
    parameters: int
    backends: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StepReport:
    """A step of the optimiser.

    `loss_nats` is the mean cross-entropy of the batch's tokens, comparable with the held-out loss,
    or None if the step did not compute it; `objective` is the value that was minimised, with
    smoothing, penalties or rewards (see `Loss`). `skipped`: the objective or gradient was not
    finite, and the step changed nothing. `clipped`: the gradient's norm was above `clip_norm` (in
    metrics.jsonl the share of such steps since the last record). `saturation` is the share of the
    carried states' |h| above 0.9.
    """

    step: int
    objective: float
    loss_nats: float | None
    gradient_norm: float
    learning_rate: float
    tokens_per_s: float
    elapsed_s: float
    eta_s: float
    skipped: bool = False
    clipped: bool = False
    saturation: float | None = None


@dataclass(frozen=True)
class EvalReport:
    """An evaluation over the whole held-out part; `metrics` are the task's own figures.

    `best_by` says what chooses the best weights: "loss", or the name of a metric.
    """

    step: int
    val_loss_nats: float
    val_bits_per_char: float | None
    is_best: bool
    elapsed_s: float
    sample: str | None
    metrics: dict[str, float] = field(default_factory=dict)
    best_by: str = "loss"


@dataclass(frozen=True)
class CheckpointReport:
    """A save, from which the run can be resumed."""

    step: int
    path: Path


@dataclass(frozen=True)
class StopReport:
    """The last report: why training ended, and the best weights: their step, the figure
    `best_value` that chose them by `best_by` ("loss" or a metric), and their held-out loss.
    """

    step: int
    reason: str
    best_val_loss_nats: float | None
    elapsed_s: float
    best_step: int = 0
    best_by: str = "loss"
    best_value: float | None = None


Report = StartReport | StepReport | EvalReport | CheckpointReport | StopReport
