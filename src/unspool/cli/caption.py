"""`unspool caption`."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import files
from ..data import LeftOut, Pictures, decode_picture, is_tar, suffix_of
from ..decoding.hypotheses import Hypothesis
from ..errors import ConfigError, DataError
from ..limits import MAX_PICTURE_BYTES
from ..tasks.caption.decode import BATCH, CaptionSearch
from ..tasks.caption.gather import FEATURES, read_given
from ..tasks.caption.plot import CaptionFigure, render
from ..tasks.caption.run import CaptionerRun
from ..tasks.registry import load
from ..tasks.run import require
from ..vision.preparation import GIVEN
from . import console
from .cells import CellOption
from .hypotheses import (
    MOST_FIGURES,
    AttentionOption,
    as_records,
    check_attention,
    is_page,
    ranked,
    write_attention,
)
from .options import RunArgument, file, with_options
from .session import prepare


@with_options(CaptionSearch, defaults=True)
def caption(
    run: RunArgument,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE]",
            help="Pictures, folders or TARs of pictures, or an .npz of features.",
            show_default=False,
            parser=file,
        ),
    ] = None,
    *,
    given: dict[str, Any],
    attention: AttentionOption = None,
    cell: CellOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per picture and line.")
    ] = False,
) -> None:
    """Describe pictures with a trained run.

    unspool caption runs/flickr8k photo.jpg holiday/
    """
    prepare()
    loaded = require(load(run, cell=cell), CaptionerRun)
    check_attention(attention, loaded, "train one with `unspool train caption --way attention`")
    options = CaptionSearch(**given).as_dict()
    if not what:
        raise ConfigError("name pictures to describe, or folders or TARs of them")
    sources = [_Source(Path(name), loaded) for name in what]
    figures: list[CaptionFigure] = []
    printed = _print_all(loaded, sources, options, as_json, attention, figures)
    total = sum(source.total for source in sources)
    counts = printed if sys.stdout.isatty() else console.track(printed, total, "captions")
    done = max(counts, default=0)
    notes = [line for source in sources for line in source.left_out.notes()]
    if not done:
        raise DataError("; ".join(["no picture can be described", *notes]))
    for line in notes:
        console.note(line)
    if attention is not None:
        write_attention(attention, figures, done, render, _attention_record)


class _Source:
    """Pictures or features named by an argument, and those of them that cannot be used."""

    def __init__(self, path: Path, run: CaptionerRun) -> None:
        self.path, self.left_out = path, LeftOut()
        self.features, self.pictures = None, None
        if suffix_of(path) == FEATURES:
            self.features = read_given(path)
            self.total = len(self.features[0])
        elif path.is_dir() or is_tar(path):
            self.pictures = Pictures(path)
            self.left_out, self.total = self.pictures.left_out, len(self.pictures.names)
        else:
            self.total = 1
        if (self.features is None) == (run.preparation.cnn == GIVEN):
            raise DataError(f"{path}: {run.path} describes {_TAKES[self.features is None]}")

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield name and pixels of each picture that can be decoded, or its features."""
        if self.features is not None:
            yield from zip(*self.features, strict=True)
            return
        for name, content in self._contents():
            try:
                yield name, decode_picture(content, name)
            except DataError as error:
                self.left_out.add("pictures that cannot be used", name, str(error))

    def _contents(self) -> Iterable[tuple[str, bytes]]:
        if self.pictures is not None:
            return self.pictures.contents()
        return [(str(self.path), files.read_bytes(self.path, DataError, MAX_PICTURE_BYTES))]


_TAKES = {True: "features computed elsewhere: name an .npz", False: "pictures, not features"}


def _print_all(
    run: CaptionerRun,
    sources: list[_Source],
    options: dict[str, Any],
    as_json: bool,
    attention: Path | None,
    figures: list[CaptionFigure],
) -> Iterator[int]:
    """Print captions as they are found, collect attention, and yield counts of pictures."""
    done, items = 0, chain.from_iterable(sources)
    most = MOST_FIGURES if attention is not None and is_page(attention) else None
    while group := list(islice(items, BATCH)):
        pictures = [picture for _, picture in group]
        found = run.caption(pictures, first=done, **options)
        for (name, picture), best in zip(group, found, strict=True):
            if as_json:
                console.print_json(_record(name, best), flush=True)
            else:
                lines = _lines(name, best, options["n_best"])
                print("\n".join(map(console.shown, lines)), flush=True)
            if attention is not None and (most is None or len(figures) < most):
                tokens, weights = run.attention(picture, best[0])
                shown = run.shown(picture) if most else None
                figures.append(CaptionFigure(name, shown, best[0].text, tokens, weights))
            done += 1
            yield done


def _record(name: str, found: Sequence[Hypothesis]) -> dict[str, Any]:
    return {"file": name, "caption": found[0].text, "n_best": as_records(found)}


def _lines(name: str, found: Sequence[Hypothesis], n_best: int) -> list[str]:
    return [f"{name}\t{found[0].text}"] if n_best == 1 else [name, *ranked(found)]


def _attention_record(figure: CaptionFigure) -> dict[str, Any]:
    return {
        "file": figure.name,
        "caption": figure.caption,
        "tokens": figure.tokens,
        "weights": figure.weights.tolist(),
    }
