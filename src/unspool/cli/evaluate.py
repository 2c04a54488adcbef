"""`unspool eval`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..run import load
from .session import prepare


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory.", show_default=False)],
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]",
            help="A text; without it, the run's held-out part.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Loss of a trained run on a text."""
    prepare()
    result = load(run).evaluate(*(paths or ()))
    if as_json:
        print(json.dumps(result._asdict()))
        return
    print(f"{result.loss_nats:.4f} nats per token over {result.tokens:,} tokens")
    print(f"{result.bits_per_char:.4f} bits per character, {result.bits_per_byte:.4f} per byte")
