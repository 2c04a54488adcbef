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
from ..tasks.caption.decode import BATCH, LENGTH_PENALTY, NUM_BEAMS
from ..tasks.caption.gather import FEATURES, read_given
from ..tasks.caption.plot import CaptionFigure, render
from ..tasks.caption.run import CaptionerRun
from ..tasks.registry import load
from ..tasks.run import require
from ..vision.preparation import GIVEN
from . import console, streams
from .options import LengthPenaltyForm, RunArgument, file, output
from .session import prepare

MOST_FIGURES = 20  # pictures on a page


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
    num_beams: Annotated[
        int, typer.Option(help="Width of the beam search; 1: greedy.")
    ] = NUM_BEAMS,
    length_penalty: Annotated[
        float, typer.Option(help="p: scores are divided by tokens to this power; 0: not at all.")
    ] = LENGTH_PENALTY,
    length_penalty_form: LengthPenaltyForm = "power",
    n_best: Annotated[int, typer.Option(help="Captions a picture, best first.")] = 1,
    do_sample: Annotated[
        bool, typer.Option("--sample", help="Draw instead of searching: --n-best different tries.")
    ] = False,
    temperature: Annotated[
        float, typer.Option(help="With --sample: below 1 safer, above 1 wilder.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(help="With --sample: from the k likeliest.", show_default=False)
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="With --sample: from the likeliest of this total.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="With --sample: the same seed draws the same.")] = 0,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Most tokens of a caption (40).", min=1, show_default=False)
    ] = None,
    attention: Annotated[
        Path | None,
        typer.Option(
            help="Write where the network looked, word by word: a page (.html) of the first "
            f"{MOST_FIGURES} pictures, or all weights (.json).",
            show_default=False,
            parser=output,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a picture, on a line.")
    ] = False,
) -> None:
    """Describe pictures with a trained run.

    unspool caption runs/flickr8k photo.jpg holiday/
    """
    prepare()
    loaded = require(load(run), CaptionerRun)
    if attention is not None and attention.suffix.lower() not in (".html", ".json"):
        raise ConfigError(f"--attention must end in .html or .json, got {attention}")
    if attention is not None and loaded.model.decoder.attention is None:
        raise ConfigError(
            f"{run} does not look", "train one with `unspool train caption --way attention`"
        )
    if attention is not None:
        streams.outlive_readers()
    options: dict[str, Any] = {
        "num_beams": num_beams, "length_penalty": length_penalty,
        "length_penalty_form": length_penalty_form, "n_best": n_best,
        "max_new_tokens": max_new_tokens, "do_sample": do_sample, "temperature": temperature,
        "top_k": top_k, "top_p": top_p, "seed": seed,
    }  # fmt: skip
    if not what:
        raise ConfigError("name what to describe: pictures, folders or TARs of them")
    sources = [_Source(Path(name), loaded) for name in what]
    figures: list[CaptionFigure] = []
    printed = _print_all(loaded, sources, options, as_json, attention, figures)
    total = sum(source.total for source in sources)
    counts = printed if sys.stdout.isatty() else console.track(printed, total, "captions")
    done = max(counts, default=0)
    notes = [line for source in sources for line in source.left_out.notes()]
    if not done:
        raise DataError("; ".join(["there is no picture that can be described", *notes]))
    for line in notes:
        console.note(line)
    if attention is not None:
        _write_attention(attention, figures, done)


class _Source:
    """Pictures or features that an argument names, and what of them cannot be used."""

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
        """Name and pixels of each picture that can be decoded, or features."""
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


_TAKES = {True: "features made elsewhere: give an .npz of them", False: "pictures, not features"}


def _print_all(
    run: CaptionerRun,
    sources: list[_Source],
    options: dict[str, Any],
    as_json: bool,
    attention: Path | None,
    figures: list[CaptionFigure],
) -> Iterator[int]:
    """Print captions as they are found, and note where the network looked; counts pictures."""
    done, items = 0, chain.from_iterable(sources)
    most = MOST_FIGURES if attention is not None and attention.suffix.lower() == ".html" else None
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
    best = [
        {"text": one.text, "score": one.score, "log_p": one.log_p, "finished": one.finished}
        for one in found
    ]
    return {"file": name, "caption": found[0].text, "n_best": best}


def _lines(name: str, found: Sequence[Hypothesis], n_best: int) -> Iterator[str]:
    if n_best == 1:
        yield f"{name}\t{found[0].text}"
    else:
        yield name
        yield from (f"{one.score:.4f}\t{one.text}{_END[one.finished]}" for one in found)
        yield ""


_END = {True: "", False: " ..."}


def _write_attention(path: Path, figures: list[CaptionFigure], done: int) -> None:
    if path.suffix.lower() == ".html":
        files.write_bytes(path, render(figures).encode())
        if done > len(figures):
            console.note(f"{path} shows the first {len(figures)} of {done}")
        return
    records = [
        {
            "file": figure.name,
            "caption": figure.caption,
            "tokens": figure.tokens,
            "weights": figure.weights.tolist(),
        }
        for figure in figures
    ]
    files.write_json(path, records)
