"""The training loop: a generator of reports that never asks which task it holds."""

import dataclasses
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._version import __version__
from ..errors import DivergedError
from ..models.description import backends, describe_model
from . import directory
from .checkpoint import load_arrays, reading_facts, save_arrays
from .config import TrainingConfig
from .progress import Progress
from .reports import (
    CheckpointReport,
    EvalReport,
    Report,
    StartReport,
    StepReport,
    StopReport,
)
from .resume import check_resumable
from .signals import StopRequest, stop_on_signals
from .starting import Beginning, beginning, check_start, locked
from .step import compile_step, start_learner
from .task import LOSS, Evaluation, Task

MAX_SKIPPED = 10  # non-finite losses in a row before training gives up


def train(
    model: Any, task: Task, *, run: str | Path, resume: bool = False, **options: Any
) -> Iterator[Report]:
    """Train `model` on `task`, write the run directory `run`, and yield a report of every event.

    `options` are the fields of `TrainingConfig`. With `resume` the run continues from its last
    save, with the losses and weights it would have had without the stop, bit for bit (a schedule
    in minutes follows the clock, and so cannot repeat exactly); `model` is then used only for its
    structure.

    A step whose loss or gradient is not finite changes nothing and halves the learning rate, which
    doubles again after every 100 finite steps in a row. SIGINT, SIGTERM, SIGHUP and leaving the
    loop save first. Raises ConfigError if an option is invalid, RunError if `run` cannot be used,
    DivergedError after 10 non-finite losses in a row.

        for report in unspool.train(model, task, run="runs/shakespeare", max_minutes=5):
            print(report)
    """
    config = TrainingConfig.merge(options)
    if not resume:
        check_start(Path(run))
    training = _Training(model, task, Path(run), config)
    return training.resumed() if resume else training.started()


def train_begun(model: Any, task: Task, begun: Beginning, **options: Any) -> Iterator[Report]:
    """Train into a run directory that the caller has locked and started."""
    config = TrainingConfig.merge(options)
    return _Training(model, task, begun.path, config).reports(begun)


class _Training:
    """One call of `train`: its model's structure, its step program and its files."""

    def __init__(self, model: Any, task: Task, path: Path, config: TrainingConfig) -> None:
        _, self.static = eqx.partition(model, eqx.is_inexact_array)
        self.task, self.path, self.config = task, path, config
        self.backends, self.notes = backends(model), task.notes
        self.description = {
            "unspool": __version__,
            "model": describe_model(model),
            "task": task.describe(),
            "training": config.as_dict(),
        }
        self.learner = start_learner(model, task, config)
        self.progress = Progress()
        self.step = compile_step(self.static, task, config)
        self.clipped: list[bool] = []  # of the steps since the last record

    def started(self) -> Iterator[Report]:
        with locked(self.path), beginning(self.path) as begun:
            yield from self.reports(begun)

    def resumed(self) -> Iterator[Report]:
        with locked(self.path):
            yield from self.reports(None)

    def reports(self, begun: Beginning | None) -> Iterator[Report]:
        with stop_on_signals() as stop:
            if begun is None:
                self._reopen()
            else:
                self._begin(begun)
            self.started_at = time.monotonic() - self.progress.elapsed_s
            self.saved_at = time.monotonic()
            try:
                yield self._start()
                yield from self._run(stop)
            except GeneratorExit:  # the caller left the loop, between two steps
                self._save()
                raise

    def _begin(self, begun: Beginning) -> None:
        self.path = begun.folder
        self.task.save(self.path)
        self.journal = directory.Journal(self.path)
        self._save()
        directory.write_config(self.path, self.description)
        begun.publish()
        self.path = begun.path
        self.journal = directory.Journal(self.path)

    def _reopen(self) -> None:
        check_resumable(directory.read_config(self.path), self.description, self.path)
        state = self.path / directory.STATE
        self.learner, facts = load_arrays(state, self.learner)
        load_arrays(self.path / directory.MODEL, self.learner.params)  # still whole?
        with reading_facts(state):
            if facts["backends"] != list(self.backends):
                self.notes += ("resumed with another time loop: last digits may differ",)
            self.progress = Progress.of(facts["progress"])
            self.journal = directory.Journal(self.path, facts["journal"])
        self.notes += tuple(
            f"{name} is missing: it starts again here" for name in self.journal.missing
        )

    def _start(self) -> StartReport:
        report = StartReport(
            step=self.progress.step,
            parameters=sum(leaf.size for leaf in jax.tree.leaves(self.learner.params)),
            backends=self.backends,
            notes=self.notes,
        )
        self.journal.record(event="start", **dataclasses.asdict(report))
        return report

    def _run(self, stop: StopRequest) -> Iterator[Report]:
        if self._is_evaluation_due():  # the run was stopped between a step and its evaluation
            yield from self._evaluate(stop)
            yield self._save()
        while (reason := self._stop_reason(stop)) is None:
            yield self._train_step()
            if self.progress.skipped_in_row >= MAX_SKIPPED:
                self._give_up()
            if self._is_evaluation_due():
                yield from self._evaluate(stop)
                yield self._save()
            elif time.monotonic() - self.saved_at >= 60 * self.config.save_minutes:
                yield self._save()
        if stop.name is None and self._is_unevaluated():
            yield from self._evaluate(stop)
            reason = f"stopped by {stop.name}" if self._is_unevaluated() else reason
        yield self._save()
        progress = self.progress
        yield StopReport(
            step=progress.step,
            reason=reason,
            best_val_loss_nats=progress.best_val_loss_nats,
            elapsed_s=progress.elapsed_s,
            best_step=progress.best_step,
            best_by=progress.best_by,
            best_value=progress.best_value,
        )

    def _is_evaluation_due(self) -> bool:
        return self.progress.step % self.config.eval_every == 0 and self._is_unevaluated()

    def _is_unevaluated(self) -> bool:
        return self.progress.last_evaluation < self.progress.step

    def _stop_reason(self, stop: StopRequest) -> str | None:
        progress, patience = self.progress, self.config.patience
        if stop.name is not None:
            return f"stopped by {stop.name}"
        if patience is not None and progress.evaluations_since_best >= patience:
            figure = "held-out loss" if progress.best_by == LOSS else progress.best_by
            return f"no better {figure} in {patience} evaluations"
        if self.config.is_over(progress.step, progress.elapsed_s):
            return "finished"
        return None

    def _train_step(self) -> StepReport:
        progress, config = self.progress, self.config
        began = time.monotonic()
        rate = config.rate(progress.step, progress.elapsed_s) * progress.rate_scale
        batch = self.task.batch(progress.step)
        self.learner, outcome = self.step(self.learner, batch, progress.step, rate)
        outcome = jax.device_get(outcome)  # waits for the step
        skipped = not outcome.is_finite
        progress.count_step(skipped)
        now = time.monotonic()
        progress.elapsed_s = now - self.started_at
        share = config.progress(progress.step, progress.elapsed_s)
        report = StepReport(
            step=progress.step,
            objective=float(outcome.objective),
            loss_nats=None if outcome.loss_nats is None else float(outcome.loss_nats),
            gradient_norm=float(outcome.gradient_norm),
            learning_rate=rate,
            tokens_per_s=self.task.tokens_per_batch / (now - began),
            elapsed_s=progress.elapsed_s,
            eta_s=progress.elapsed_s * max(0.0, 1 / share - 1),
            skipped=skipped,
            clipped=bool(outcome.gradient_norm > config.clip_norm),
            saturation=None if outcome.saturation is None else float(outcome.saturation),
        )
        self._record_step(report)
        return report

    def _record_step(self, report: StepReport) -> None:
        self.clipped.append(report.clipped)
        if report.skipped:
            self.journal.record(
                event="non_finite", step=report.step, rate_scale=self.progress.rate_scale
            )
        elif report.step % self.config.log_every == 0:
            record = dataclasses.asdict(report) | {"clipped": sum(self.clipped) / len(self.clipped)}
            if report.objective == report.loss_nats:
                del record["objective"]
            kept = {k: v for k, v in record.items() if k not in _NOT_RECORDED and v is not None}
            self.journal.record(**kept)
            self.clipped = []

    def _evaluate(self, stop: StopRequest) -> Iterator[EvalReport]:
        """Evaluate and sample. If a signal ends the sample, nothing is kept, so that a resumed run
        evaluates again.
        """
        progress = self.progress
        weights = self.learner.params if self.learner.average is None else self.learner.average
        model = eqx.combine(weights, self.static)
        evaluation = self.task.evaluate(model)
        pieces = self.task.sample(model, progress.step)
        sample = None if pieces is None else _joined(pieces, stop)
        if pieces is not None and sample is None:
            return
        is_best = _is_better(evaluation.rank, progress.best_rank)
        if is_best:
            progress.keep_best(evaluation)
            self._write_model(weights, evaluation.metrics)
        progress.evaluations_since_best = 0 if is_best else progress.evaluations_since_best + 1
        progress.last_evaluation = progress.step
        progress.elapsed_s = time.monotonic() - self.started_at
        yield self._record_evaluation(evaluation, is_best, sample)

    def _record_evaluation(
        self, evaluation: Evaluation, is_best: bool, sample: str | None
    ) -> EvalReport:
        report = EvalReport(
            step=self.progress.step,
            val_loss_nats=evaluation.loss_nats,
            val_bits_per_char=evaluation.bits_per_char,
            is_best=is_best,
            elapsed_s=self.progress.elapsed_s,
            sample=sample,
            metrics=evaluation.metrics,
            best_by=evaluation.best_by,
        )
        record = dataclasses.asdict(report)
        left_out = ("sample", "metrics")
        record = {k: v for k, v in record.items() if k not in left_out and v is not None}
        self.journal.record(**record, **evaluation.metrics)
        if sample is not None:
            self.journal.sample(report.step, report.val_loss_nats, sample)
        return report

    def _write_model(self, weights: Any, metrics: dict[str, float] | None = None) -> None:
        facts = {
            "step": self.progress.step,
            "val_loss_nats": self.progress.best_val_loss_nats,
            "val_metrics": metrics or {},
            "best_by": self.progress.best_by,
        }
        save_arrays(self.path / directory.MODEL, weights, facts)

    def _save(self) -> CheckpointReport:
        """Write everything that resuming needs; weights too, if no evaluation wrote them yet."""
        if self.progress.best_val_loss_nats is None and self._is_sound():
            self._write_model(self.learner.params)
        path = self.path / directory.STATE
        facts = {
            "progress": dataclasses.asdict(self.progress),
            "journal": self.journal.sync(),
            "backends": self.backends,
        }
        save_arrays(path, self.learner, facts)
        self.saved_at = time.monotonic()
        return CheckpointReport(self.progress.step, path)

    def _is_sound(self) -> bool:
        """Say whether the weights give a finite loss, by one more step on a copy of them.

        A step computes the loss of the weights before it, not after it.
        """
        progress = self.progress
        if progress.step == 0 or progress.skipped_in_row:
            return progress.step == 0
        copy = jax.tree.map(jnp.copy, self.learner)
        _, outcome = self.step(copy, self.task.batch(progress.step), progress.step, 0.0)
        return bool(outcome.is_finite)

    def _give_up(self) -> None:
        self._save()
        raise DivergedError(
            f"the loss was not finite in {MAX_SKIPPED} steps in a row (step {self.progress.step}, "
            f"learning rate scaled by {self.progress.rate_scale:g}); the last weights with a "
            f"finite loss are in {self.path}",
            options={"learning_rate": "lower {}", "clip_norm": "lower {}"},
        )


def _joined(pieces: Iterable[str], stop: StopRequest) -> str | None:
    """Join the pieces; return None if a signal came before the last one."""
    if isinstance(pieces, str):
        return pieces
    joined = []
    for piece in pieces:
        if stop.name is not None:
            return None
        joined.append(piece)
    return "".join(joined)


_NOT_RECORDED = ("eta_s", "skipped")


def _is_better(rank: list[float], best: list[float] | None) -> bool:
    return all(map(math.isfinite, rank)) and (best is None or rank < best)
