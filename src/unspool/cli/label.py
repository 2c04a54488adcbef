"""`unspool classify` and `unspool tag`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data import (
    Rows,
    check_standard_input,
    cut_notes,
    form_of,
    join_rows,
    looks_like_path,
    read_images,
    read_series,
    read_unlabelled,
    words_of,
)
from ..errors import ConfigError, DataError
from ..tasks.glimpse.run import GlimpseRun
from ..tasks.label.run import ClassifierRun, LabelledRun, TaggerRun
from ..tasks.registry import load
from ..tasks.run import require
from . import console
from .cells import CellOption
from .options import RunArgument, output
from .session import prepare

What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT]",
        help="Texts, or files or folders: one text a line, or any form that training reads (--json "
        "then shows its labels too), series or images; - for standard input.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per sequence and line.")]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw/--pretokenised",
        help="Split punctuation off words; by default words end at white space, as in the files "
        "that taggers are trained on.",
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        help="Draw the glimpses into this .html or .svg file (runs of `train glimpse`).",
        show_default=False,
        parser=output,
    ),
]
PlotCount = Annotated[int, typer.Option(min=1, help="How many images to draw, from the first on.")]
FILES = {
    "text": "a file of texts",
    "series": "a .ts, .npz or .csv file of series",
    "images": "an IDX file, an .npz of images or sklearn:digits",
}


def classify(
    run: RunArgument,
    what: What = None,
    cell: CellOption = None,
    as_json: AsJson = False,
    plot: Plot = None,
    plot_count: PlotCount = 24,
) -> None:
    """Label texts, series or images with a trained classifier.

    unspool classify runs/sentiment "a gripping film" "two hours too long"
    """
    prepare()
    loaded = require(load(run, cell=cell), ClassifierRun)
    rows = _rows(loaded, what)
    if plot is not None:
        looker = require(loaded, GlimpseRun)
        looker.plot(plot, rows.rows[:plot_count], rows.labels[:plot_count])
    unit = {"series": "series", "images": "image"}.get(loaded.reads, "")
    names = [row if isinstance(row, str) else f"{unit} {i}" for i, row in enumerate(rows.rows, 1)]
    for i, found in enumerate(_labelled(rows, loaded.classify, {})):
        if as_json:
            truth = {} if rows.labels[i] is None else {"true_label": rows.labels[i]}
            record = {"text": names[i], "label": next(iter(found), None), **truth}
            console.print_json({**record, "probabilities": found})
        elif found:
            others = "  ".join(f"{other} {p:.3f}" for other, p in list(found.items())[:5])
            print(console.shown(f"{next(iter(found))}\t{others}\t{names[i]}"))
        else:
            print()


def tag(
    run: RunArgument,
    what: What = None,
    raw: Raw = False,
    cell: CellOption = None,
    as_json: AsJson = False,
) -> None:
    """Tag every word of texts (or step of series) with a trained tagger.

    unspool tag runs/tagger "The dog barks ."
    """
    prepare()
    loaded = require(load(run, cell=cell), TaggerRun)
    rows = _rows(loaded, what)
    split = words_of if raw else str.split
    rows = rows._replace(rows=[split(r) if isinstance(r, str) else r for r in rows.rows])
    for i, tags in enumerate(_labelled(rows, loaded.tag, [])):
        row = rows.rows[i]
        words = list(row) if loaded.reads == "text" else [str(t) for t in range(1, len(row) + 1)]
        if as_json:
            truth = {} if rows.labels[i] is None else {"true_tags": rows.labels[i]}
            console.print_json({"words": words, "tags": tags, **truth})
        else:
            lines = map("\t".join, zip(words, tags, strict=True))
            print("".join(f"{console.shown(line)}\n" for line in lines))


def _labelled(rows: Rows, label: Callable[..., list[Any]], nothing: Any) -> list[Any]:
    """Return what `label` finds for every row; for empty rows `nothing`, with a note."""
    full = [i for i, row in enumerate(rows.rows) if not isinstance(row, str) or row.strip()]
    full = [i for i in full if len(rows.rows[i])]
    found = label([rows.rows[i] for i in full], [rows.where[i] for i in full])
    by_row = dict(zip(full, found, strict=True))
    empty = [where for i, where in enumerate(rows.where) if i not in by_row]
    if empty:
        named = ", ".join(empty[:3]) + (", ..." if len(empty) > 3 else "")
        console.note(f"{len(empty)} texts are empty and get no label: {named}")
    return [by_row.get(i, nothing) for i in range(len(rows.rows))]


def _rows(run: LabelledRun, what: list[str] | None) -> Rows:
    """Read texts, lists of words, series or images from the command's arguments."""
    if not what:
        raise ConfigError("name texts to label, a file, or - for standard input")
    check_standard_input(what)
    if run.reads == "text":
        parts = [_texts(run, argument, number) for number, argument in enumerate(what, 1)]
    else:
        parts = [_numbers(run, argument) for argument in what]
    rows = join_rows(parts)
    for line in (*rows.notes, *cut_notes(rows.rows, rows.where, run.encoder)):
        console.note(line)
    return rows


def _texts(run: LabelledRun, argument: str, number: int) -> Rows:
    if not is_source(argument):
        return Rows([argument], [None], [f"text {number}"])
    if form_of(argument) != "text":
        raise DataError(f"{argument}: {run.path} reads {FILES['text']}")
    return read_unlabelled(argument, run.labels, aligned=run.aligned)


def _numbers(run: LabelledRun, source: str) -> Rows:
    if not (is_source(source) or form_of(source) == run.reads):
        raise DataError(f"{run.path} reads {run.reads}: name {FILES[run.reads]}")
    if form_of(source) != run.reads:
        raise DataError(f"{source}: {run.path} reads {FILES[run.reads]}")
    if run.reads == "images":
        rows, labels, where = read_images(source, labelled=False)
    else:
        rows, labels, where = read_series(Path(source), aligned=run.aligned, labelled=False)
    return Rows(rows, labels or [None] * len(rows), where)


def is_source(argument: str) -> bool:
    """Say whether an argument names a file, a folder or standard input, rather than being a text.

    An argument that looks like a path counts as one even if nothing is there, and so is an error.
    """
    if not argument.strip():
        return False
    if argument == "-" or looks_like_path(argument):
        return True
    try:
        return Path(argument).exists()
    except (OSError, ValueError):  # a text too long to be a file's name
        return False
