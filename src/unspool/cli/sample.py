"""`unspool sample`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..run import Run, load, require
from .session import prepare


def sample(
    run: Annotated[Path, typer.Argument(help="A run directory.", show_default=False)],
    prompt: Annotated[str, typer.Option(help="The text to continue.")] = "",
    max_new_tokens: Annotated[int, typer.Option(help="Tokens to write.")] = 500,
    temperature: Annotated[
        float, typer.Option(help="Below 1: safer; above 1: wilder; 0: always the likeliest.")
    ] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from the k likeliest tokens.", show_default=False)
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Draw from the likeliest tokens of this total.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option(help="Texts to write at once.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    stop: Annotated[
        str | None, typer.Option(help="End before this string.", show_default=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a text, on a line.")
    ] = False,
) -> None:
    """Write text with a trained run.

    unspool sample runs/shakespeare --prompt "ROMEO:" --temperature 0.8 --top-p 0.95
    """
    prepare()
    loaded = require(load(run), Run)
    pieces = loaded.stream(
        prompt,
        count=count,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        stop=stop,
    )
    if count == 1 and not as_json:
        _print_stream(prompt, pieces)
        return
    texts = ["".join(parts) for parts in zip(*pieces, strict=True)]
    for number, text in enumerate(texts):
        if as_json:
            print(json.dumps(_record(loaded, prompt, text, seed, number), ensure_ascii=False))
        else:
            print(f"--- {number + 1} of {count}\n{prompt}{text}\n")


def _print_stream(prompt: str, pieces) -> None:  # type: ignore[no-untyped-def]
    sys.stdout.write(prompt)
    for (piece,) in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _record(run: Run, prompt: str, text: str, seed: int, number: int) -> dict[str, object]:
    return {"prompt": prompt, "text": text, "seed": seed, "number": number, "run": str(run.path)}
