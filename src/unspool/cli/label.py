"""`unspool classify` and `unspool tag`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..data import (
    Rows,
    form_of,
    read_images,
    read_labelled,
    read_series,
    read_texts,
    words_of,
)
from ..errors import ConfigError, DataError
from ..run import ClassifierRun, GlimpseRun, LabelledRun, TaggerRun, load, require
from .options import RunArgument
from .session import prepare

What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT]",
        help="Texts, or a file of one text a line (or of series or images), or - for standard "
        "input.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a sequence, on a line.")]
Plot = Annotated[
    Path | None,
    typer.Option(
        help="For runs of `train glimpse`: an .html or .svg file to draw the glimpses into.",
        show_default=False,
    ),
]
PlotCount = Annotated[int, typer.Option(min=1, help="How many images to draw, from the first.")]
FILES = {
    "text": "a file of texts",
    "series": "a .ts, .npz or .csv file of series",
    "images": "an IDX file, an .npz of images or sklearn:digits",
}


def classify(
    run: RunArgument,
    what: What = None,
    as_json: AsJson = False,
    plot: Plot = None,
    plot_count: PlotCount = 24,
) -> None:
    """Label texts, series or images with a trained classifier.

    unspool classify runs/sentiment "a gripping film" "two hours too long"
    """
    prepare()
    loaded = require(load(run), ClassifierRun)
    rows, truths, where = _rows(loaded, what)
    if plot is not None:
        looker = require(loaded, GlimpseRun)
        looker.plot(plot, rows[:plot_count], truths[:plot_count])
    unit = {"series": "series", "images": "image"}.get(loaded.reads, "")
    names = [row if isinstance(row, str) else f"{unit} {i}" for i, row in enumerate(rows, 1)]
    for name, found in zip(names, loaded.classify(rows, where), strict=True):
        label = next(iter(found))
        if as_json:
            record = {"text": name, "label": label, "probabilities": found}
            print(json.dumps(record, ensure_ascii=False))
        else:
            others = "  ".join(f"{other} {p:.3f}" for other, p in list(found.items())[:5])
            print(f"{label}\t{others}\t{name}")


def tag(run: RunArgument, what: What = None, as_json: AsJson = False) -> None:
    """Tag every word of texts (or step of series) with a trained tagger.

    unspool tag runs/tagger "The dog barks ."
    """
    prepare()
    loaded = require(load(run), TaggerRun)
    rows, _, where = _rows(loaded, what)
    rows = [words_of(row) if isinstance(row, str) else row for row in rows]
    for row, tags in zip(rows, loaded.tag(rows, where), strict=True):
        words = list(row) if loaded.reads == "text" else [str(t) for t in range(1, len(row) + 1)]
        if as_json:
            print(json.dumps({"words": words, "tags": tags}, ensure_ascii=False))
        else:
            print("\n".join(map("\t".join, zip(words, tags, strict=True))), end="\n\n")


def _rows(run: LabelledRun, what: list[str] | None) -> Rows:
    """Texts, lists of words, series or images, from the command's arguments."""
    if not what:
        raise ConfigError("name what to label: texts, a file, or - for standard input")
    source, path = what[0], Path(what[0])
    if run.reads == "text" and what == ["-"]:
        return _texts([line.rstrip("\n") for line in sys.stdin if line.strip()])
    if len(what) > 1 or not (is_file(path) or form_of(source) == "images"):
        if run.reads == "text":
            return _texts(what)
        raise DataError(f"{run.path} reads {run.reads}: name {FILES[run.reads]}")
    if form_of(source) != run.reads:
        raise DataError(f"{path}: {run.path} reads {FILES[run.reads]}")
    if run.reads == "images":
        return Rows(*read_images(source, labelled=False))
    if run.reads == "series":
        return Rows(*read_series(path, aligned=run.aligned, labelled=False))
    if path.suffix in (".conllu", ".conll"):
        return read_labelled(path, aligned=True)
    found = read_texts(path)
    return Rows([text for text, _ in found], [], [where for _, where in found])


def _texts(texts: list[str]) -> Rows:
    return Rows(texts, [], [f"text {number}" for number in range(1, len(texts) + 1)])


def is_file(path: Path) -> bool:
    """Whether an argument names a file, and is not a text."""
    try:
        return path.is_file()
    except OSError:  # a text too long for the name of a file
        return False
