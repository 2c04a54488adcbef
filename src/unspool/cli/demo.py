"""`unspool demo`."""

from collections.abc import Callable
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data.pixels import check_pillow
from ..data.shapes import NEW, captioned_shapes, described, new_pictures
from ..tasks.caption.recipe import CaptionRecipe
from ..tasks.recipe import Recipe
from ..tasks.registry import load
from ..tasks.text.recipe import TEXT
from . import console, streams
from .options import path
from .session import prepare

PROMPT = "def "
SHOWN = 8  # captions of new pictures


class Demo(StrEnum):
    """The demos."""

    text = "text"
    caption = "caption"


def demo(
    what: Annotated[
        Demo, typer.Argument(help="text: learn to write Python; caption: to describe pictures.")
    ] = Demo.text,
    run: Annotated[
        Path | None,
        typer.Option(
            help="The run directory (default: a new one under runs/).",
            show_default=False,
            parser=path,
        ),
    ] = None,
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 2.0,
) -> None:
    """Watch a network learn to write Python, from this machine's standard library, or to describe
    generated pictures of coloured shapes.
    """
    prepare()
    streams.outlive_readers()
    _DEMOS[what](run or _new_directory(), minutes)


def _text(run: Path, minutes: float) -> None:
    where = console.visible(str(run))
    print(f"Training a GRU on the Python standard library for {minutes:g} minutes, in {where}.")
    print("Every evaluation prints a sample of its writing; Ctrl-C stops early.\n")
    options = {"max_minutes": minutes, "val_fraction": 0.01, "eval_every": 400}
    if _train(TEXT, ("stdlib",), run, {**options, "sample_tokens": 240}):
        print(console.written(load(run).sample(PROMPT, max_new_tokens=400, temperature=0.7)))
        print(f'\nSample more: unspool sample {console.quoted(run)} --prompt "class "')


def _caption(run: Path, minutes: float) -> None:
    check_pillow()
    where = console.visible(str(run))
    print(f"Training a CNN and a GRU to describe two shapes for {minutes:g} minutes, in {where}.")
    print("Every evaluation prints captions of new pictures; Ctrl-C stops early.\n")
    folder = run.with_name(f"{run.name}-pictures")
    sources, options = captioned_shapes(folder)
    recipe = CaptionRecipe(console.track)
    if not _train(recipe, sources, run, {**options, "max_minutes": minutes}):
        return
    new = new_pictures()
    found = described(load(run), new)
    for (text, right), one in zip(found[:SHOWN], new[:SHOWN], strict=True):
        print(
            f"{'true ' if right else 'FALSE'}  {text}" + ("" if right else f"  ({one.captions[0]})")
        )
    exact = sum(right for _, right in found)
    print(f"\n{exact} of {NEW} new pictures are described exactly.")
    print(
        f"Describe others: unspool caption {console.quoted(run)} {console.quoted(folder / 'new')}"
    )


_DEMOS: dict[Demo, Callable[[Path, float], None]] = {Demo.text: _text, Demo.caption: _caption}


def _train(recipe: Recipe, sources: tuple[str, ...], run: Path, options: dict[str, Any]) -> bool:
    """Train and print reports; return False if nothing was trained."""
    last = console.show(recipe.start(sources, run, recipe.merge(sources, options)))
    if last is not None:
        print(f"\nThe best weights, after {console.duration(last.elapsed_s)}:\n")
    return last is not None


def _new_directory() -> Path:
    names = (Path("runs") / f"demo-{number}" for number in count(1))
    return next(path for path in names if not path.exists())
