"""Print reports: a progress bar on a terminal, plain lines elsewhere."""

import json
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text as RichText

from ..training import (
    CheckpointReport,
    EvalReport,
    Report,
    StartReport,
    StepReport,
    StopReport,
)
from ..training.task import LOSS

SECONDS_BETWEEN_LINES = 10.0


def show(reports: Iterator[Report]) -> StopReport | None:
    """Print reports until training ends; return the last one."""
    console = Console(highlight=False, soft_wrap=True)
    view = _Bar(console) if console.is_terminal else _Lines(console)
    last = None
    with view:
        for report in reports:
            match report:
                case StartReport():
                    _show_start(view, report)
                case StepReport(skipped=True):
                    view.line(
                        f"step {report.step}: the loss or a gradient was not finite; step "
                        "skipped, learning rate halved"
                    )
                case StepReport():
                    view.step(report)
                case EvalReport():
                    _show_evaluation(view, report)
                case StopReport():
                    last = report
                case CheckpointReport():
                    pass
    return last


class _Lines:
    """Print a line at the first step, and then every ten seconds."""

    def __init__(self, console: Console) -> None:
        self.console, self.printed_at = console, float("-inf")

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass

    def line(self, text: str) -> None:
        self.console.print(RichText(shown(text, kept="\n\t")))

    def step(self, report: StepReport) -> None:
        if time.monotonic() - self.printed_at < SECONDS_BETWEEN_LINES:
            return
        self.printed_at = time.monotonic()
        self.line(f"step {report.step}  {_figures(report)}")


class _Bar(_Lines):
    """Show a live bar at the bottom and lines above it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        columns = (
            TextColumn("step {task.fields[step]}"),
            BarColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self.progress = Progress(*columns, console=console, transient=True)
        self.bar = self.progress.add_task("", total=1.0, step=0, text="compiling")

    def __enter__(self) -> None:
        self.progress.start()

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def step(self, report: StepReport) -> None:
        share = report.elapsed_s / max(report.elapsed_s + report.eta_s, 1e-9)
        text = escape(_figures(report))
        self.progress.update(self.bar, completed=share, step=report.step, text=text)


def _figures(report: StepReport) -> str:
    figures = [] if report.loss_nats is None else [f"loss {report.loss_nats:.3f} nats"]
    if report.objective != report.loss_nats:
        figures.append(f"objective {report.objective:.3f}")
    return (
        f"{', '.join(figures)}  {report.tokens_per_s:,.0f} tokens/s  "
        f"{duration(report.elapsed_s)} elapsed, {duration(report.eta_s)} to go"
    )


def _show_start(view: _Lines, report: StartReport) -> None:
    for note in report.notes:
        view.line(note)
    layers = "; ".join(dict.fromkeys(report.backends))
    view.line(f"{report.parameters:,} parameters; time loop: {layers}")


def _show_evaluation(view: _Lines, report: EvalReport) -> None:
    bits = report.val_bits_per_char
    per_char = "" if bits is None else f" ({bits:.3f} bits per character)"
    figure = "" if report.best_by == LOSS else f" {report.best_by.replace('_', ' ')}"
    best = f", best{figure} so far" if report.is_best else ""
    figures = "".join(f", {k.replace('_', ' ')} {v:.4f}" for k, v in report.metrics.items())
    view.line(
        f"step {report.step}  held-out loss {report.val_loss_nats:.4f} nats"
        f"{per_char}{figures}{best}  after {duration(report.elapsed_s)}"
    )
    if report.sample is not None:
        view.line("\n" + "\n".join("    " + line for line in report.sample.splitlines()) + "\n")


def track(counts: Iterable[int], total: int, what: str) -> Iterator[int]:
    """Yield the same counts, with a progress bar if stderr is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn(what), BarColumn(), TextColumn("{task.completed} of {task.total}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    bar = Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal,
        redirect_stdout=False,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=total)
        for count in counts:
            bar.update(task, completed=count)
            yield count


def note(text: str) -> None:
    """Print a note to the user on stderr, as one line."""
    print(f"note: {visible(text)}", file=sys.stderr)


def visible(text: str) -> str:
    r"""Return `text` on one line, with control characters escaped (ESC as \x1b)."""
    one_line = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in one_line)


def shown(text: str, kept: str = "\t") -> str:
    r"""Return `text` with control characters escaped, except those in `kept`.

    Characters that are not printed but join letters, as in Hindi and Persian, stay.
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in kept else ascii(found[0])[1:-1], text)


def written(text: str) -> str:
    """Return what a network wrote: unchanged for a pipe or file, as `shown` for a terminal."""
    return shown(text, kept="\n\t") if sys.stdout.isatty() else text


def quoted(name: str | Path) -> str:
    """Quote a file's name for a printed command, as the shell reads it."""
    text = str(name)
    if text.startswith("-"):  # otherwise it would be an option
        text = f"./{text}"
    if text.isprintable():
        return shlex.quote(text)
    pieces = (
        c if c.isprintable() and c not in "'\\" else "".join(f"\\x{b:02x}" for b in os.fsencode(c))
        for c in text
    )
    return f"$'{''.join(pieces)}'"


def print_json(value: Any, flush: bool = False) -> None:
    """Print a value as JSON on one line. Numbers that are not finite become null; control
    characters and lone surrogates (of a file's name) are escaped.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    print(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text), flush=flush)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return float(value) if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


# Control characters, and halves of surrogate pairs.
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


def duration(seconds: float) -> str:
    """Format 95 as 1:35."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
