"""Options: declared once, checked once, the same words in Python, TOML and on the command line."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from ..errors import ConfigError

DEFAULT_MAX_STEPS = 5000
WARMUP_PART = 5  # warm-up takes at most a fifth of max_steps
STEPS = 2**31  # steps are counted in 32 bits
LARGEST = 3.4e38  # what 32 bits hold


def option(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    is_file: bool = False,
) -> Any:
    """A dataclass field with its rule and its line of help; `is_file`: the name of a file."""
    rules = {"at_least": at_least, "above": above, "below": below, "choices": choices}
    return dataclasses.field(default=default, metadata={"help": help, "is_file": is_file, **rules})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all option sets: every field is checked when the object is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _checked(field, value))

    @classmethod
    def merge(cls, *layers: Mapping[str, Any]) -> Self:
        """Later layers win; unknown keys are refused with the nearest known one."""
        merged: dict[str, Any] = {}
        for layer in layers:
            cls.check_keys(layer)
            merged.update(layer)
        return cls(**merged)

    @classmethod
    def check_keys(cls, given: Mapping[str, Any], where: str = "") -> None:
        """Raise ConfigError for keys that are no options."""
        known = [field.name for field in dataclasses.fields(cls)]
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f": did you mean {near[0]!r}?" if near else ""
                raise ConfigError(f"{where}unknown option {key!r}{hint}")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Options):
    """How to train: the optimiser, the schedule, when to stop, evaluate and save."""

    learning_rate: float = option(4e-3, "peak learning rate of AdamW", above=0)
    schedule: str = option("cosine", "learning rate after warm-up", choices=("cosine", "constant"))
    warmup_steps: int = option(
        100, "steps of linear warm-up, at most a fifth of max_steps", at_least=0
    )
    final_rate: float = option(
        0.0, "where the cosine ends, as a share of the peak", at_least=0, below=1
    )
    weight_decay: float = option(
        0.0, "decoupled weight decay of weights; not of biases, gains and embeddings", at_least=0
    )
    beta2: float = option(0.99, "decay of Adam's squared gradients", at_least=0, below=1)
    clip_norm: float = option(1.0, "gradients are scaled to at most this global norm", above=0)
    average: float = option(
        0.0, "mean age of averaged weights, which are evaluated and kept, as a share of the run "
        "so far; 0: no average", at_least=0, below=0.5,
    )  # fmt: skip
    max_steps: int | None = option(None, f"stop after so many steps ({DEFAULT_MAX_STEPS} if "
                                   "no limit is given)", at_least=1, below=STEPS)  # fmt: skip
    max_minutes: float | None = option(None, "stop after so many minutes", above=0)
    patience: int | None = option(
        None, "stop after so many evaluations without better weights", at_least=1
    )
    eval_every: int = option(250, "steps between evaluations", at_least=1)
    log_every: int = option(10, "steps between records in metrics.jsonl", at_least=1)
    save_minutes: float = option(
        1.0, "minutes between saves besides those at evaluations", at_least=0
    )
    seed: int = option(0, "seed of weights, dropout and data offsets", at_least=0, below=2**32)

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the run that is done, by steps if they are limited, else by time."""
        if self.steps is not None:
            return step / self.steps
        assert self.max_minutes is not None
        return elapsed_s / (60 * self.max_minutes)

    @property
    def steps(self) -> int | None:
        """How many steps the run has; None if minutes alone limit it."""
        if self.max_steps is None and self.max_minutes is None:
            return DEFAULT_MAX_STEPS
        return self.max_steps

    def is_over(self, step: int, elapsed_s: float) -> bool:
        """Whether a limit on steps or minutes has been reached."""
        out_of_time = self.max_minutes is not None and elapsed_s >= 60 * self.max_minutes
        return out_of_time or self.progress(step, elapsed_s) >= 1

    def rate(self, step: int, elapsed_s: float) -> float:
        """Learning rate of step number `step`, from 0: linear warm-up to the peak, then constant,
        or half a cosine from there down to `final_rate` times the peak (Loshchilov and Hutter
        2017, arXiv 1608.03983, without restarts).

        Warm-up takes `warmup_steps`, but at most a fifth of `max_steps`. A run that minutes limit
        has, for the cosine, as many steps as its speed so far lets expect.
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


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    kinds = _kinds(field.type)
    if value is None and type(None) in kinds:
        return None
    if float in kinds and type(value) is int:
        if abs(value) > LARGEST:  # which no float may hold
            raise ConfigError(
                f"{field.name} must be at most {LARGEST:.2g}, got {Decimal(value):.2g}"
            )
        value = float(value)
    if type(value) not in kinds:
        wanted = " or ".join(k.__name__ for k in kinds if k is not type(None))
        raise ConfigError(f"{field.name} must be of type {wanted}, got {value!r}")
    _check_rules(field.name, value, field.metadata)
    return value


def _kinds(annotation: Any) -> tuple[type, ...]:
    if isinstance(annotation, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _check_rules(name: str, value: Any, rules: Mapping[str, Any]) -> None:
    low, floor, ceiling = rules.get("at_least"), rules.get("above"), rules.get("below")
    choices = rules.get("choices")
    if choices and value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} must be finite, got {value}")
    if isinstance(value, float) and abs(value) > LARGEST:
        raise ConfigError(f"{name} must be at most {LARGEST:.2g}, got {value}")
    if low is not None and value < low:
        raise ConfigError(f"{name} must be at least {low}, got {_plain(value)}")
    if floor is not None and value <= floor:
        raise ConfigError(f"{name} must be above {floor}, got {_plain(value)}")
    if ceiling is not None and value >= ceiling:
        raise ConfigError(f"{name} must be below {ceiling}, got {_plain(value)}")


def _plain(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
