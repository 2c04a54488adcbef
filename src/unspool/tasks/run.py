"""What every loaded run has: weights, configuration, where it stands."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import equinox as eqx

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
    """What `load` returns. `step`, `val_loss_nats` and `val_metrics` belong to the weights at hand,
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
        """The fields of a kind of its own, read from the run directory."""
        return {}

    @classmethod
    def load(
        cls, path: Path, config: dict[str, Any], model_class: Any, model: Any, track: Track
    ) -> Self:
        """Read weights into the structure of `model`, or of the `model_class` that config.json
        describes.
        """
        parts = cls.parts(path, config)
        if not (path / MODEL).exists():
            raise RunError(f"{path} has no weights yet: let training reach its first save")
        like = model or eqx.filter_eval_shape(build_model, model_class, config["model"])
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
        """The data that the run was trained on, which `open` reads; RunError if it is not there
        or has changed.
        """
        if not (self.path / DATA).is_dir():
            raise RunError(f"{self.path} keeps no data of its own: {remedy}")
        return read_data(self.path, self.config, open)

    def shared_with_training(
        self,
        open: Callable[[Path], Data],
        compare: Callable[[Data], list[str]],
    ) -> list[str]:
        """The notes of `compare` on what the run was trained on; none if it does not keep that."""
        if not (self.path / DATA).is_dir():
            return []
        try:
            return compare(self.own_data(open, ""))
        except RunError as error:
            return [f"not compared with the training part: {error}"]

    @property
    def conditions(self) -> tuple[str, ...]:
        """Labels, one of which a text is read and written for; () if it has none."""
        return ()

    @property
    def reads_bytes(self) -> bool:
        """Whether its tokens are bytes, so that files are not decoded."""
        return False

    def reading(self, text: str, condition: str | None) -> Reading:
        """Read a text as one sequence: see `tasks.reading.read_as`."""
        raise RunError(
            f"{self.path} is {self.what} and reads no text: inspect needs a run that reads text"
        )

    def held_out_text(self, most: int) -> str:
        """Return the first `most` characters of the held-out text; RunError if there is none."""
        raise RunError(f"{self.path} keeps no held-out text: {INSPECT_REMEDY}")

    def held_out_reading(self, reading: Reading, most: int) -> Reading:
        """Return the reading of the held-out text, with the tokens that are evaluated."""
        return reading

    @abstractmethod
    def evaluate(self, *sources: str) -> Evaluation:
        """The run's figures on the sources; without any, on its held-out part.

        A kind with `eval_options` takes them as keyword arguments.
        """


def noted(result: Evaluation, notes: Iterable[str]) -> Evaluation:
    """The evaluation with more notes on what it is of, if there are any."""
    notes = [*result.details.get("notes", ()), *notes]
    return replace(result, details=result.details | {"notes": notes}) if notes else result


def require(run: LoadedRun, *kinds: type[Kind]) -> Kind:
    """The run, if it is of one of these kinds, else a RunError that says what it is."""
    if not isinstance(run, kinds):
        raise RunError(f"{run.path} is {run.what}: use `{run.used_by}`")
    return run


def read_vocabulary(path: Path, config: dict[str, Any]) -> Vocabulary:
    """The run's vocabulary, if it is the one that it was trained with."""
    vocab = load_vocabulary(path)
    check_vocabulary(vocab, path, config["task"])
    check_size(path, config, "vocab_size", len(vocab))
    return vocab


def check_size(path: Path, config: dict[str, Any], name: str, found: int | list[int]) -> None:
    """Raise RunError if config.json describes a model of another size than `found`."""
    wanted = config["model"].get(name, found)  # a model of your own may not say
    if wanted != found:
        raise RunError(
            f"{path} is damaged: its model has {name} {wanted}, the rest of the run {found}"
        )


def check_vocabulary(vocab: Vocabulary, path: Path, task: dict[str, Any]) -> None:
    """Raise RunError for a vocabulary other than the one in training."""
    if vocab.fingerprint() != task.get("vocabulary"):
        raise RunError(f"{path} is damaged: its vocabulary is not the one it was trained with")


def _facts(facts: dict[str, Any]) -> tuple[int, float | None, dict[str, float], str]:
    """The step of the weights, their held-out loss and metrics, and what they are the best by."""
    step, loss = facts["step"], facts["val_loss_nats"]
    metrics = facts.get("val_metrics", {}).items()
    found = {name: float(v) for name, v in metrics}
    return operator.index(step), loss and float(loss), found, str(facts.get("best_by", LOSS))
