"""`unspool eval`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..run import Run, load, require
from .session import prepare


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory.", show_default=False)],
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]",
            help="A text or labelled file; without it, the run's held-out part.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="bfloat16 or int8: the loss of sampling with such weights.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Loss of a trained run on a text; accuracy and F1 on labelled sequences."""
    prepare()
    loaded = load(run)
    if weights is None:
        result = loaded.evaluate(*(paths or ()))
    else:
        result = require(loaded, Run).evaluate(*(paths or ()), weights=weights)
    if as_json:
        print(json.dumps(result.as_dict()))
        return
    print(f"{result.loss_nats:.4f} nats per {result.unit} over {result.tokens:,} {result.unit}s")
    if result.bits_per_char is not None:
        print(f"{result.bits_per_char:.4f} bits per character, {result.bits_per_byte:.4f} per byte")
    for name, value in result.metrics.items():
        print(f"{name.replace('_', ' ')} {value:.4f}")
    if "confusion" in result.details:
        _print_confusion(result.details["labels"], result.details["confusion"])


def _print_confusion(labels: list[str], confusion: list[list[int]]) -> None:
    width = max(len(str(word)) for word in (*labels, *(n for row in confusion for n in row)))
    print("\nrow: true label, column: label found")
    print("  ".join(f"{word:>{width}}" for word in ("", *labels)))
    for label, row in zip(labels, confusion, strict=True):
        print("  ".join(f"{word:>{width}}" for word in (label, *row)))
