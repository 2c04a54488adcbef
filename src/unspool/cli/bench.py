"""`unspool bench`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from .. import bench as benchmark
from .. import files
from ..bench.origin import origin
from ..library import threads
from . import streams
from .console import visible
from .options import output


def bench(
    only: Annotated[
        str | None, typer.Option(help="training or sampling.", show_default=False)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Tiny shapes, to check that everything runs.")
    ] = False,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds (7; with --quick: 2).", show_default=False)
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Write the figures to a JSON file too.",
            show_default=False,
            parser=output,
        ),
    ] = None,
) -> None:
    """Compare speed with other libraries and with the limits of the machine."""
    benchmark.check(only, rounds)
    if json_file is not None:
        streams.outlive_readers()
    missing = benchmark.missing(only)
    for line in missing:
        print(line, file=sys.stderr)
    answer: dict[str, Any] = {"threads": threads(), "missing": missing, "results": []}
    answer["origin"] = origin(shlex.join(["unspool", *sys.argv[1:]]))
    for result in benchmark.results(only, quick=quick, rounds=rounds):
        answer["results"].append(result)
        _tell(result)
        if json_file is not None:  # after each, so that an interrupt loses little
            files.write_json(json_file, answer)
    Console(highlight=False).print(_table(answer["results"]))


def _tell(result: dict[str, Any]) -> None:
    """Print a line once a shape is measured, and one for each peer that failed."""
    print(f"measured {result['kind']} {result['shape']['name']}", file=sys.stderr, flush=True)
    for name, error in result["failed"].items():
        print(f"{name} failed: {visible(str(error))}", file=sys.stderr)


def _table(results: list[dict[str, Any]]) -> Table:
    """Return one row per contestant, with its share of the machine's limit."""
    table = Table("shape", "contestant")
    for name in ("tokens/s", "of limit", "unspool is"):
        table.add_column(name, justify="right")
    for result in results:
        speeds = result["tokens_per_s"]
        for i, (name, speed) in enumerate(speeds.items()):
            table.add_row(
                _title(result) if i == 0 else "",
                name,
                f"{speed:,.0f}",
                f"{result['share_of_limit'][name]:.0%}",
                "" if name.startswith("unspool") else f"{speeds['unspool'] / speed:.2f}x",
                end_section=i == len(speeds) - 1,
            )
    return table


def _title(result: dict[str, Any]) -> str:
    shape = result["shape"]
    if result["kind"] == "sampling":
        return f"sample {shape['name']}"
    return f"train {shape['name']} B{shape['batch']} T{shape['steps']}"
