"""`unspool gradients`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import files
from ..cells import CELLS, Cell
from ..cells.names import OWN, label, own_cells
from ..data import build_vocabulary, open_sources
from ..errors import DataError
from ..inspection import gradient_flow
from ..inspection.flow_plot import Line, reach, render
from ..inspection.gradients import ENDS, STEPS
from ..models.language import LanguageModel
from ..tasks.registry import load
from ..tasks.run import require
from ..tasks.text.run import Run
from ..training.directory import read_config
from . import console
from .cells import named_cell
from .options import file as file_name
from .options import output, path
from .session import prepare


def gradients(
    file: Annotated[str, typer.Argument(help="A text, or - for standard input.", parser=file_name)],
    run: Annotated[
        list[Path] | None,
        typer.Option(help="A run directory; repeatable.", show_default=False, parser=path),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Compare with a freshly initialised model of {', '.join(CELLS)} or {OWN} cells; "
            "repeatable. A run with a cell of your own needs it. Default without --run: all "
            "built-in cells.",
            show_default=False,
            parser=named_cell,
        ),
    ] = None,
    hidden: Annotated[int, typer.Option(min=1, help="Units per layer of fresh models.")] = 128,
    layers: Annotated[int, typer.Option(min=1, help="Layers of fresh models.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="How many steps to go back.")] = STEPS,
    ends: Annotated[int, typer.Option(min=1, help="From how many positions in the text.")] = ENDS,
    max_chars: Annotated[int, typer.Option(min=1, help="Maximum characters to read.")] = 10**6,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page with the curves.", show_default=False, parser=output),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of fresh models.")] = 0,
) -> None:
    """Show how gradients vanish or explode on their way back through time.

    unspool gradients shakespeare.txt --html flow.html
    """
    prepare()
    with open_sources((file,)) as sources:
        text = "".join(sources.pieces(0, max_chars))
    if not text:
        raise DataError("the text is empty", "use one of a few hundred characters")
    lines: list[Line] = []
    own = own_cells(cell or ())
    for one in run or ():
        loaded = require(load(one, cell=_cell_of(one, own)), Run)
        lines += _lines(one.name, loaded.model, loaded.vocab.encode(text), steps, ends)
    kinds = cell or ([] if run else list(CELLS))
    if kinds:
        vocab = build_vocabulary("char", [text])
        ids = vocab.encode(text)
        for kind in kinds:
            options: dict[str, Any] = {"hidden_size": hidden, "num_layers": layers, "seed": seed}
            model = LanguageModel.create(vocab, cell=kind, **options)
            lines += _lines(f"{label(kind)}, untrained", model, ids, steps, ends)
    if html is not None:
        files.write_bytes(html, render(lines).encode())
    if as_json:
        console.print_json([_record(line) for line in lines])
        return
    Console(highlight=False).print(_table(lines))


def _cell_of(run: Path, own: Mapping[str, type[Cell]]) -> type[Cell] | None:
    """The cell of a run among those of your own that are named."""
    return own.get(str(read_config(run)["model"].get("cell"))) if own else None


def _lines(name: str, model: Any, ids: Any, steps: int, ends: int) -> list[Line]:
    return [Line(name, flow) for flow in gradient_flow(model, ids, steps=steps, ends=ends)]


def _record(line: Line) -> dict[str, Any]:
    flow = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in line.flow._asdict().items()
    }
    return {"model": line.name, **flow}


def _table(lines: list[Line]) -> Table:
    table = Table("model", "state")
    for name in ("norm at T", "factor a step back", "1 % is left after"):
        table.add_column(name, justify="right")
    for line in lines:
        flow = line.flow
        state = f"{flow.quantity} of layer {flow.layer}"
        first = f"{next((m for m in flow.median if m > 0), 0.0):.2e}"
        table.add_row(
            Text(console.visible(line.name)), state, first, f"{flow.factor:.4f}", reach(flow)
        )
    return table
