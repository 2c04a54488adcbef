"""`unspool inspect`."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from .. import files
from ..errors import ConfigError
from ..inspection import (
    Annotation,
    Trace,
    UnitScore,
    annotate,
    best_units,
    cell_quantity,
    next_tokens,
    page,
    score_units,
)
from ..inspection.units import SHIFTS
from ..models.generator import Generator
from ..models.language import LanguageModel
from ..options import Options, option
from ..tasks.reading import Reading, read_source
from ..tasks.registry import load
from ..tasks.run import LoadedRun
from . import console as ours
from .cells import CellOption
from .options import RunArgument, output, with_options
from .options import file as file_name
from .session import prepare

SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True, kw_only=True)
class InspectOptions(Options):
    """What is read of a text, how it is annotated and scored, and what of that is shown."""

    top: int | None = option(None, "units per annotation (3; with --json: all)", at_least=1)
    language: str | None = option(
        None, "what the text is: c, python, latex or text (default: guessed)"
    )
    within: int = option(10, "a line is about to end within this many characters", at_least=1)
    quantity: str = option("cell", "what to score: h, c or a gate; cell: c of an LSTM, otherwise h")
    layer: int | None = option(None, "only this layer, counted from 0")
    condition: str | None = option(None, "the label to condition on (runs of `train generate`)")
    max_chars: int = option(1_000_000, "maximum characters to read", at_least=1)
    page_chars: int = option(10_000, "characters on the page", at_least=1)
    shifts: int = option(SHIFTS, "shifts of each annotation; the smallest p is 1/(1+n)", at_least=1)
    seed: int = option(0, "seed of the shifts", at_least=0)


@with_options(InspectOptions, defaults=True)
def inspect(
    run: RunArgument,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="A text, or - for standard input; default: the run's held-out part.",
            show_default=False,
            parser=file_name,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write a page: the text coloured by units.", show_default=False, parser=output
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write every state and gate to an .npz.", show_default=False, parser=output
        ),
    ] = None,
    *,
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=REGEX",
            help="Annotate matches of this pattern too; repeatable.",
            show_default=False,
        ),
    ] = None,
    given: dict[str, Any],
    cell: CellOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Find out which units of a network stand for what, on a text.

    unspool inspect runs/kernel more.c --html units.html

    Every unit is scored against annotations of the text: AUC for those that hold or not, rank
    correlation for numbers. Control is the best score that any unit reaches when the annotation is
    shifted against the text; p is how often the best unit reaches the score under such shifts.
    """
    prepare()
    how = InspectOptions(**given)
    loaded = load(run, cell=cell)
    patterns = dict(map(_named, pattern or []))
    reading = read_source(loaded, file, how.max_chars, how.condition)
    if reading.unknown_share:
        ours.note(f"the run does not know {reading.unknown_share:.1%} of the tokens")
    text = reading.spans.text
    notes = annotate(text, language=how.language, patterns=patterns, within=how.within)
    _check_layer(how.layer, loaded)
    trace = _record(reading, how.quantity, keep_all=out is not None)
    scores = score_units(trace, notes, **how.arguments(score_units))
    scores = [one for one in scores if how.layer in (None, one.layer)]
    constant = sorted(notes.keys() - {one.annotation for one in scores})
    quantity = _scored(trace, how.quantity)
    if out is not None:
        trace.save(out)
    if html is not None:
        title = f"{run.name}: {'held-out text' if file is None else file}"
        rendered = _page(reading, trace, notes, scores, quantity, how.page_chars, title)
        files.write_bytes(html, rendered.encode())
    if as_json:
        found = scores if how.top is None else _best(scores, how.top)
        ours.print_json(_as_json(trace, found, constant, quantity, how.layer))
        return
    _print(trace, best_units(scores, how.top or 3), constant, quantity, how.layer)


def _best(scores: list[UnitScore], top: int) -> list[UnitScore]:
    kept = {one for rows in best_units(scores, top).values() for one in rows}
    return [one for one in scores if one in kept]


def _named(pattern: str) -> tuple[str, str]:
    name, equals, regex = pattern.partition("=")
    if not (name and equals and regex):
        raise ConfigError(f"--pattern must be NAME=REGEX, got {pattern!r}")
    return name, regex


def _check_layer(layer: int | None, run: LoadedRun) -> None:
    layers = run.config["model"].get("num_layers", 1 << 30)  # custom cells may not say
    if layer is not None and not 0 <= layer < layers:
        raise ConfigError(f"--layer must be from 0 to {layers - 1}, got {layer}")


def _record(reading: Reading, quantity: str, keep_all: bool) -> Trace:
    """Trace, with progress on stderr; keep only the quantities that are needed."""
    kept = None if keep_all else "cell" if quantity == "cell" else (quantity,)
    report = _progress(len(reading.spans.inputs))
    return Trace.record(
        reading.model, reading.spans, state=reading.state, quantities=kept, progress=report
    )


def _progress(total: int) -> Callable[[int], None]:
    """Report progress on stderr every ten seconds."""
    began = said = time.monotonic()

    def report(tokens: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SECONDS_BETWEEN_LINES:
            said = now
            rate = tokens / (now - began)
            print(f"{tokens:,} of {total:,} tokens, {rate:,.0f} tokens/s", file=sys.stderr)

    return report


def _scored(trace: Trace, quantity: str) -> str:
    return cell_quantity(trace.layers[0]) if quantity == "cell" else quantity


def _page(
    reading: Reading,
    trace: Trace,
    notes: dict[str, Annotation],
    scores: list[UnitScore],
    quantity: str,
    chars: int,
    title: str,
) -> str:
    expected, names = None, []
    if isinstance(reading.model, LanguageModel | Generator):
        steps = int(np.searchsorted(trace.last, chars))
        vocab = reading.vocab
        expected = next_tokens(
            reading.model, reading.spans.inputs[:steps], min(5, len(vocab)), state=reading.state
        )
        names = [vocab.token_text(i) for i in range(len(vocab))]
    return page.render(
        trace, notes, scores, expected, names=names, quantity=quantity, chars=chars, title=title
    )


def _as_json(
    trace: Trace, scores: list[UnitScore], constant: list[str], quantity: str, layer: int | None
) -> dict[str, Any]:
    return {
        "scores": [one.as_dict() for one in scores],
        "quantity": quantity,
        "constant": constant,
        "saturation": [
            {
                "layer": i,
                "gate": gate,
                "left": np.round(left, 4).tolist(),
                "right": np.round(right, 4).tolist(),
            }
            for i, gates in enumerate(trace.saturation)
            for gate, (left, right) in gates.items()
            if layer in (None, i)
        ],
        "chars": len(trace.text),
        "tokens": len(trace),
    }


def _print(
    trace: Trace,
    best: dict[str, list[UnitScore]],
    constant: list[str],
    quantity: str,
    layer: int | None,
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    cells = sum(arrays[next(iter(arrays))].shape[1] for arrays in trace.layers)
    layers = f"{len(trace.layers)} layer{'s' * (len(trace.layers) > 1)}"
    console.print(
        f"{len(trace):,} tokens, {cells} units in {layers}, by {quantity}. "
        "Layers and units are counted from 0.\nControl: the best that any unit reaches when the "
        "annotation is shifted against the text; p: how often the best unit then reaches the score."
    )
    if constant:
        names = ours.visible(", ".join(constant))
        console.print(RichText(f"Constant in this text, so not scored: {names}."))
    console.print(_score_table(best), _saturation_table(trace, layer))


def _score_table(best: dict[str, list[UnitScore]]) -> Table:
    table = Table(title="Cells", title_justify="left")
    for name in ("annotation", "layer", "cell", "score", "", "control", "p"):
        table.add_column(name, justify="left" if name in ("annotation", "") else "right")
    for name, rows in best.items():
        for place, one in enumerate(rows):
            binary = one.auc is not None
            score = f"AUC {one.auc:.3f}" if binary else f"ρ {one.correlation:+.3f}"
            side = ("high" if one.direction > 0 else "low") if binary else ""
            label = RichText(ours.visible(name) if place == 0 else "")
            chance = f"{one.control:.3f}", f"{one.p:.3g}"
            cell = str(one.layer), str(one.unit), score, side, *chance
            table.add_row(label, *cell, end_section=one is rows[-1])
    return table


def _saturation_table(trace: Trace, layer: int | None) -> Table:
    table = Table(
        title="Gates: share of steps below 0.1 and above 0.9",
        title_justify="left",
    )
    columns = ("layer", "gate", "left", "right", "units left >90%", "units right >90%")
    for name in columns:
        table.add_column(name, justify="right")
    for i, gates in enumerate(trace.saturation):
        for gate, shares in gates.items():
            if layer in (None, i):
                means = (f"{share:.1%}" for share in shares.mean(axis=1))
                often = (str(count) for count in np.count_nonzero(shares > 0.9, axis=1))
                table.add_row(str(i), gate, *means, *often)
    return table
