"""The base of loaded runs: weights, configuration and progress."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import equinox as eqx

from ..cells import CreateCell
from ..data import Vocabulary, load_vocabulary
from ..errors import RunError
from ..models.description import build_model
from ..options import Options
from ..training.checkpoint import is_weight, load_arrays, reading_facts
from ..training.directory import DATA, MODEL, read_data
from ..training.task import LOSS, Evaluation
from .reading import Reading
from .recipe import Track, untracked

INSPECT_REMEDY = "name a text to inspect it on"
Kind = TypeVar("Kind", bound="LoadedRun")
Data = TypeVar("Data")


@dataclass(frozen=True)
class LoadedRun(ABC):
    """The result of `load`. `step`, `val_loss_nats` and `val_metrics` belong to the loaded weights,
    which are the best by the held-out loss (`best_by` is "loss") or by the metric `best_by`.
    `track` shows how far a long evaluation is.

    For messages, `what` says what it is and `used_by` which command uses it. `eval_options` are
    the options of `evaluate`, which are flags of `unspool eval`.
    """

    what: ClassVar[str]
    used_by: ClassVar[str] = "unspool eval"
    eval_options: ClassVar[type[Options]] = Options

    path: Path
    config: dict[str, Any]
    step: int
    val_loss_nats: float | None
    val_metrics: dict[str, float]
    best_by: str
    model: Any
    track: Track = field(default=untracked, kw_only=True, repr=False)

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        """Read the additional fields of a kind of run from the run directory."""
        return {}

    @classmethod
    def load(
        cls,
        path: Path,
        config: dict[str, Any],
        model_class: Any,
        model: Any,
        cell: str | CreateCell | None,
        track: Track,
    ) -> Self:
        """Read weights into the structure of `model`, or of the `model_class` that config.json
        describes, with the `cell` of your own.
        """
        parts = cls.parts(path, config)
        if not (path / MODEL).exists():
            raise RunError(f"{path} has no weights yet: let training reach its first save")
        like = model or eqx.filter_eval_shape(build_model, model_class, config["model"], cell)
        params, static = eqx.partition(like, is_weight)
        params, facts = load_arrays(path / MODEL, params)
        with reading_facts(path / MODEL):
            step, loss, metrics, best_by = _facts(facts)
        model = eqx.combine(params, static)
        return cls(
            path=path, config=config, step=step, val_loss_nats=loss, val_metrics=metrics,
            best_by=best_by, model=model, track=track, **parts,
        )  # fmt: skip

    def own_data(self, open: Callable[[Path], Data], remedy: str) -> Data:
        """Return the data that the run was trained on, which `open` reads. Raises RunError if it is
        missing or has changed.
        """
        if not (self.path / DATA).is_dir():
            raise RunError(f"{self.path} has not kept its data: {remedy}")
        return read_data(self.path, self.config, open)

    def shared_with_training(
        self,
        open: Callable[[Path], Data],
        compare: Callable[[Data], list[str]],
    ) -> list[str]:
        """Return the notes of `compare` on the run's training data; none if it was not kept."""
        if not (self.path / DATA).is_dir():
            return []
        try:
            return compare(self.own_data(open, ""))
        except RunError as error:
            return [f"not compared with the training part: {error}"]

    @property
    def conditions(self) -> tuple[str, ...]:
        """The labels that a text can be conditioned on; () if there are none."""
        return ()

    @property
    def reads_bytes(self) -> bool:
        """Say whether tokens are bytes, so that files are not decoded."""
        return False

    def reading(self, text: str, condition: str | None) -> Reading:
        """Read a text as one sequence: see `tasks.reading.read_as`."""
        raise RunError(
            f"{self.path} is {self.what} and reads no text: inspect needs a run that reads text"
        )

    def held_out_text(self, most: int) -> str:
        """Return the first `most` characters of the held-out text. Raises RunError if there is
        none.
        """
        raise RunError(f"{self.path} has not kept a held-out text: {INSPECT_REMEDY}")

    def held_out_reading(self, reading: Reading, most: int) -> Reading:
        """Return the reading of the held-out text, with the tokens that are evaluated."""
        return reading

    @abstractmethod
    def evaluate(self, *sources: str) -> Evaluation:
        """The run's figures on the sources; without any, on its held-out part.

        A kind with `eval_options` takes them as keyword arguments.
        """


def noted(result: Evaluation, notes: Iterable[str]) -> Evaluation:
    """Return the evaluation with more notes, if there are any."""
    notes = [*result.details.get("notes", ()), *notes]
    return replace(result, details=result.details | {"notes": notes}) if notes else result


def require(run: LoadedRun, *kinds: type[Kind]) -> Kind:
    """Return the run if it is of one of these kinds. Raises RunError, saying what it is, if not."""
    if not isinstance(run, kinds):
        raise RunError(f"{run.path} is {run.what}: use `{run.used_by}`")
    return run


def read_vocabulary(path: Path, config: dict[str, Any]) -> Vocabulary:
    """Read the run's vocabulary. Raises RunError if it is not the one it was trained with."""
    vocab = load_vocabulary(path)
    check_vocabulary(vocab, path, config["task"])
    check_size(path, config, "vocab_size", len(vocab))
    return vocab


def check_size(path: Path, config: dict[str, Any], name: str, found: int | list[int]) -> None:
    """Raise RunError if config.json describes a model of a size other than `found`."""
    wanted = config["model"].get(name, found)  # a custom model may not say
    if wanted != found:
        raise RunError(
            f"{path} is damaged: its model has {name} {wanted}, the rest of the run {found}"
        )


def check_vocabulary(vocab: Vocabulary, path: Path, task: dict[str, Any]) -> None:
    """Raise RunError if the vocabulary is not the one used in training."""
    if vocab.fingerprint() != task.get("vocabulary"):
        raise RunError(f"{path} is damaged: its vocabulary is not the one it was trained with")


def _facts(facts: dict[str, Any]) -> tuple[int, float | None, dict[str, float], str]:
    """Return the weights' step, held-out loss and metrics, and the figure that chose them."""
    step, loss = facts["step"], facts["val_loss_nats"]
    metrics = facts.get("val_metrics", {}).items()
    found = {name: float(v) for name, v in metrics}
    return operator.index(step), loss and float(loss), found, str(facts.get("best_by", LOSS))
