"""How training looks: a progress bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator

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

SECONDS_BETWEEN_LINES = 10.0


def show(reports: Iterator[Report]) -> StopReport | None:
    """Print reports until training ends; returns the last one."""
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
    """A line at the first step, and then every ten seconds."""

    def __init__(self, console: Console) -> None:
        self.console, self.printed_at = console, float("-inf")

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass

    def line(self, text: str) -> None:
        self.console.print(RichText(text))

    def step(self, report: StepReport) -> None:
        if time.monotonic() - self.printed_at < SECONDS_BETWEEN_LINES:
            return
        self.printed_at = time.monotonic()
        self.line(f"step {report.step}  {_figures(report)}")


class _Bar(_Lines):
    """A live bar at the bottom, lines above it."""

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
    return (
        f"loss {report.loss_nats:.3f} nats  {report.tokens_per_s:,.0f} tokens/s  "
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
    best = ", best so far" if report.is_best else ""
    figures = "".join(f", {k.replace('_', ' ')} {v:.4f}" for k, v in report.metrics.items())
    view.line(
        f"step {report.step}  held-out loss {report.val_loss_nats:.4f} nats"
        f"{per_char}{figures}{best}  after {duration(report.elapsed_s)}"
    )
    if report.sample is not None:
        view.line("\n" + "\n".join("    " + line for line in report.sample.splitlines()) + "\n")


def track(counts: Iterable[int], total: int, what: str) -> Iterator[int]:
    """The same counts, with a bar on stderr where that is a terminal."""
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
    """Print something that the user should know on stderr, as one line."""
    print(f"note: {visible(text)}", file=sys.stderr)


def visible(text: str) -> str:
    r"""`text` on one line, with control characters escaped (ESC as \x1b): a terminal obeys none."""
    one_line = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in one_line)


def duration(seconds: float) -> str:
    """95 -> 1:35."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
