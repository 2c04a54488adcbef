"""`unspool demo`."""

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from ..recipes.text import merge_options, train_text
from ..run import load
from . import console
from .session import prepare

PROMPT = "def "


def demo(
    run: Annotated[
        Path | None,
        typer.Option(help="The run directory (a new one under runs/).", show_default=False),
    ] = None,
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 2.0,
) -> None:
    """Watch a network learn to write Python: trains on this machine's standard library."""
    prepare()
    run = run or _new_directory()
    print(f"Training a GRU on the Python standard library for {minutes:g} minutes, in {run}.")
    print("Every evaluation prints what it writes by then; Ctrl-C stops early.\n")
    options = merge_options(
        {"max_minutes": minutes, "val_fraction": 0.01, "eval_every": 400, "sample_tokens": 240}
    )
    last = console.show(train_text(("stdlib",), run, options))
    if last is None:
        return
    print(f"\nThe best weights, after {console.duration(last.elapsed_s)}, go on from {PROMPT!r}:\n")
    print(load(run).sample(PROMPT, max_new_tokens=400, temperature=0.7))
    print(f'\nMore of it: unspool sample {run} --prompt "class "')


def _new_directory() -> Path:
    names = (Path("runs") / f"demo-{number}" for number in count(1))
    return next(path for path in names if not path.exists())
