"""Shared by all recipes: merging options, starting and resuming a run."""

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax

from .. import options_file
from ..cells.names import CELLS, OWN, OWN_PATTERN, cell_factory, is_own
from ..errors import ConfigError, RunError
from ..models.description import unnamed_cell
from ..options import option
from ..options_file import OPTIONS
from ..training import TrainingConfig, train
from ..training.checkpoint import check_arrays, is_weight
from ..training.directory import DATA, MODEL, read_config, read_data
from ..training.loop import train_begun
from ..training.reports import Report
from ..training.resume import MAY_CHANGE, check_format
from ..training.starting import beginning, locked
from ..training.task import Task

LIMITS = {"max_steps", "max_minutes"}


# From counts, their total and what is counted to the same counts, showing progress.
Track = Callable[[Iterator[int], int, str], Iterable[int]]


def untracked(counts: Iterator[int], total: int, what: str) -> Iterable[int]:
    """Show nothing."""
    return counts


def cell_option(default: str) -> Any:
    """The option `cell`: a built-in cell, or one of your own."""
    return option(default, "the recurrent cell", choices=tuple(CELLS), other=(OWN_PATTERN, OWN))


class Recipe(ABC):
    """A recipe of `unspool train`: from sources and options to a model in a run directory.

    The words about it stand here too, so that its command follows: `sources` is the name and the
    help of what is trained on, `missing` what to say if nothing is named, `help` the page of
    --help, `next_command` what to do with a finished {run}. `source_options` are the options that
    may name the sources instead (see `named`), to train and to evaluate. `track` shows how far a
    long reading of the sources is.
    """

    name: ClassVar[str]
    options: ClassVar[type[TrainingConfig]]
    sources: ClassVar[tuple[str, str]]
    source_options: ClassVar[tuple[str, ...]] = ()
    missing: ClassVar[str]
    help: ClassVar[str]
    next_command: ClassVar[str]

    def __init__(self, track: Track = untracked) -> None:
        self.track = track

    @abstractmethod
    def defaults(self, sources: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return values for options that are not given: from a preset, or by the kind of source."""

    def named(self, paths: tuple[str, ...], given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the sources that a command names by arguments or options."""
        return paths

    @abstractmethod
    def read(self, sources: tuple[str, ...], directory: Path, options: Any) -> Any:
        """Read the sources and keep in `directory` what resuming needs."""

    @abstractmethod
    def open(self, directory: Path) -> Any:
        """Open what `read` kept. Raises RunError if it cannot."""

    @abstractmethod
    def has_changed(self, sources: tuple[str, ...], data: Any, options: Any) -> bool:
        """Say whether the sources differ from those that `data` was read from."""

    @abstractmethod
    def task(self, data: Any, options: Any) -> Task:
        """Create the task: batches, loss and metric."""

    @abstractmethod
    def model(self, data: Any, options: Any) -> Any:
        """Create the model that the options describe, with random weights."""

    def merge(self, sources: tuple[str, ...], *layers: Mapping[str, Any]) -> Any:
        """Merge the defaults and then each layer in turn."""
        given: dict[str, Any] = {}
        for layer in layers:
            self.options.check_keys(layer)
            given.update(layer)
        base = dict(self.defaults(sources, given))
        if LIMITS & given.keys():  # a limit that the user gives replaces the preset's
            base = {key: value for key, value in base.items() if key not in LIMITS}
        return self.options.merge(base, given)

    def start(self, sources: tuple[str, ...], run: Path, options: Any) -> Iterator[Report]:
        """Read the sources, create a model and train it; yield reports."""
        _find_cell(options)
        with locked(run), beginning(run) as begun:
            data = self.read(sources, begun.folder / DATA, options)
            options_file.write(begun.folder / OPTIONS, options.as_dict())
            model, task, training = self._prepare(data, options)
            yield from train_begun(model, task, begun, **training)

    def resume(
        self, sources: tuple[str, ...], run: Path, given: Mapping[str, Any]
    ) -> tuple[Any, Iterator[Report]]:
        """Resume a run; sources, if given, must be those that it was started with.

        A cell of your own must be in `given` too: a run does not make Python import anything.
        """
        config = read_config(run)
        check_format(config, run)
        saved = self._saved(run)
        options = dataclasses.replace(saved, **given)
        cell = getattr(saved, "cell", None)
        if is_own(cell) and "cell" not in given:
            raise unnamed_cell(cell)
        for key in sorted(given.keys() - MAY_CHANGE):
            if getattr(options, key) != getattr(saved, key):
                was, now = getattr(saved, key), getattr(options, key)
                raise RunError(f"cannot resume {run}: {key} cannot change, from {was} to {now}")
        _find_cell(options)
        data = read_data(run, config, self.open)
        if sources and self.has_changed(sources, data, options):
            raise RunError(
                f"cannot resume {run}: the text is not the one that the run was started with"
            )
        model, task, training = self._prepare(data, options, run / MODEL)
        return options, _resumed(train(model, task, run=run, resume=True, **training), run, options)

    def _saved(self, run: Path) -> Any:
        """Read the options that a run was started with."""
        values = options_file.read(run / OPTIONS, RunError)
        try:
            return self.options.merge(values)
        except ConfigError as error:
            raise RunError(
                f"{run / OPTIONS} is not that of a run of {self.name!r}: {error}"
            ) from error

    def check_memory(self, model: Any, options: Any) -> None:
        """Raise ConfigError if this machine's memory cannot hold the model in training.

        Otherwise the operating system may end the process without a message.
        """
        if jax.default_backend() != "cpu" or not hasattr(os, "sysconf"):
            return
        parameters = sum(leaf.size for leaf in jax.tree.leaves(model))
        # Weights, their gradients, Adam's two moments, and the average.
        needed = 4 * parameters * (4 + (options.average > 0))
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > memory:
            raise ConfigError(
                f"training {parameters:,} parameters needs {needed / 2**30:,.0f} GiB of memory, "
                f"this machine has {memory / 2**30:,.0f}",
                options={"hidden": "lower {}", "layers": "lower {}"},
            )

    def _prepare(
        self, data: Any, options: Any, weights: Path | None = None
    ) -> tuple[Any, Task, dict[str, Any]]:
        """Create the model, the task, and the options of training. Nothing large is allocated
        before it is known to fit the memory, and the file of `weights`, if there is one.
        """
        names = {field.name for field in dataclasses.fields(TrainingConfig)}
        training = {name: value for name, value in options.as_dict().items() if name in names}
        task = self.task(data, options)
        shapes = eqx.filter_eval_shape(lambda: self.model(data, options))
        if weights is not None:
            check_arrays(weights, eqx.filter(shapes, is_weight))
        self.check_memory(shapes, options)
        return self.model(data, options), task, training


def _find_cell(options: Any) -> None:
    """Raise ConfigError for a cell that is not there, before anything is read."""
    if hasattr(options, "cell"):
        cell_factory(options.cell)


def _resumed(reports: Iterator[Report], run: Path, options: Any) -> Iterator[Report]:
    yield next(reports)  # the first report shows that we hold the run and that it fits
    options_file.write(run / OPTIONS, options.as_dict())
    yield from reports
