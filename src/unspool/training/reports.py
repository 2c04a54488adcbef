"""What training tells: one kind of report for each thing that happens."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class StartReport:
    """The first report: the model's size, what runs its time loops and why, the data."""

    step: int
    parameters: int
    backends: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StepReport:
    """One optimiser step. `loss_nats` is the mean over the chunk's tokens; a step whose loss
    or gradient was not finite has `skipped` set and changed nothing. `clipped`: the gradient's norm
    was above `clip_norm` (in metrics.jsonl the share of such steps since the last record);
    `saturation` is the share of the carried states' |h| above 0.9.
    """

    step: int
    loss_nats: float
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
    """One evaluation over the whole held-out part; `metrics` are the task's own figures."""

    step: int
    val_loss_nats: float
    val_bits_per_char: float | None
    is_best: bool
    elapsed_s: float
    sample: str | None
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckpointReport:
    """The run can be resumed from here."""

    step: int
    path: Path


@dataclass(frozen=True)
class StopReport:
    """The last report: why training ended and the best held-out loss so far."""

    step: int
    reason: str
    best_val_loss_nats: float | None
    elapsed_s: float


Report = StartReport | StepReport | EvalReport | CheckpointReport | StopReport
