"""How to train: the optimiser, the schedule, when to stop, evaluate and save."""

import math
from dataclasses import dataclass

from ..options import Options, option

DEFAULT_MAX_STEPS = 5000
WARMUP_PART = 5  # warm-up is at most a fifth of max_steps
STEPS = 2**31  # steps are counted in 32 bits


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Options):
    """How to train: the optimiser, the schedule, when to stop, evaluate and save."""

    learning_rate: float = option(4e-3, "peak learning rate of AdamW", above=0)
    schedule: str = option("cosine", "learning rate after warm-up", choices=("cosine", "constant"))
    warmup_steps: int = option(
        100, "steps of linear warm-up, at most a fifth of max_steps", at_least=0
    )
    final_rate: float = option(
        0.0, "learning rate at the end of the cosine, as a share of the peak", at_least=0, below=1
    )
    weight_decay: float = option(
        0.0,
        "decoupled weight decay, of weights but not of biases, gains and embeddings",
        at_least=0,
    )
    beta2: float = option(0.99, "decay of Adam's squared gradients", at_least=0, below=1)
    clip_norm: float = option(
        1.0, "maximum global norm of gradients; larger ones are scaled down", above=0
    )
    average: float = option(
        0.0, "mean age of the averaged weights, which are evaluated and kept, as a share of the "
        "run so far; 0: no averaging", at_least=0, below=0.5,
    )  # fmt: skip
    max_steps: int | None = option(None, f"stop after this many steps ({DEFAULT_MAX_STEPS} if "
                                   "no limit is given)", at_least=1, below=STEPS)  # fmt: skip
    max_minutes: float | None = option(None, "stop after this many minutes", above=0)
    patience: int | None = option(
        None, "stop after this many evaluations without better weights", at_least=1
    )
    eval_every: int = option(250, "steps between evaluations", at_least=1)
    log_every: int = option(10, "steps between records in metrics.jsonl", at_least=1)
    save_minutes: float = option(
        1.0, "minutes between saves, in addition to those at evaluations", at_least=0
    )
    seed: int = option(0, "seed of weights, dropout and data offsets", at_least=0, below=2**32)

    def progress(self, step: int, elapsed_s: float) -> float:
        """Return the share of the run that is done, by steps if they are limited, else by time."""
        if self.steps is not None:
            return step / self.steps
        assert self.max_minutes is not None
        return elapsed_s / (60 * self.max_minutes)

    @property
    def steps(self) -> int | None:
        """Return how many steps the run has; None if only minutes limit it."""
        if self.max_steps is None and self.max_minutes is None:
            return DEFAULT_MAX_STEPS
        return self.max_steps

    def is_over(self, step: int, elapsed_s: float) -> bool:
        """Say whether a limit on steps or minutes has been reached."""
        out_of_time = self.max_minutes is not None and elapsed_s >= 60 * self.max_minutes
        return out_of_time or self.progress(step, elapsed_s) >= 1

    def rate(self, step: int, elapsed_s: float) -> float:
        """Return the learning rate of step number `step`, from 0: linear warm-up to the peak, then
        constant, or half a cosine from there to `final_rate` times the peak (Loshchilov and Hutter
        2017, arXiv 1608.03983, without restarts).

        Warm-up takes `warmup_steps`, but at most a fifth of `max_steps`. If only minutes limit the
        run, the number of steps for the cosine is estimated from its speed so far.
        """
        warmup = self.warmup_steps
        if self.steps is not None:
            warmup = min(warmup, self.steps // WARMUP_PART)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        if self.schedule == "constant":
            return self.learning_rate
        done = self.progress(step, elapsed_s)
        steps = self.steps or (step / done if done > 0 else math.inf)
        share = min(1.0, (step - warmup) / max(1.0, steps - warmup))
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return self.learning_rate * (self.final_rate + (1 - self.final_rate) * cosine)
