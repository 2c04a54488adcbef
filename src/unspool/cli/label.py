"""`unspool classify` and `unspool tag`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data import is_series, read_labelled, read_series, read_texts, words_of
from ..errors import ConfigError, DataError
from ..run import ClassifierRun, LabelledRun, TaggerRun, load, require
from .session import prepare

RunArgument = Annotated[Path, typer.Argument(help="A run directory.", show_default=False)]
What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT]",
        help="Texts, or a file of one text a line (or of series), or - for standard input.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a sequence, on a line.")]


def classify(run: RunArgument, what: What = None, as_json: AsJson = False) -> None:
    """Label texts or series with a trained classifier.

    unspool classify runs/sentiment "a gripping film" "two hours too long"
    """
    prepare()
    loaded = require(load(run), ClassifierRun)
    rows = _rows(loaded, what)
    names = [row if isinstance(row, str) else f"series {i}" for i, row in enumerate(rows, 1)]
    for name, found in zip(names, loaded.classify(rows), strict=True):
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
    rows = _rows(loaded, what)
    rows = [words_of(row) if isinstance(row, str) else row for row in rows]
    for row, tags in zip(rows, loaded.tag(rows), strict=True):
        words = list(row) if loaded.reads_text else [str(t) for t in range(1, len(row) + 1)]
        if as_json:
            print(json.dumps({"words": words, "tags": tags}, ensure_ascii=False))
        else:
            print("\n".join(map("\t".join, zip(words, tags, strict=True))), end="\n\n")


def _rows(run: LabelledRun, what: list[str] | None) -> Sequence[Any]:
    """Texts, lists of words or series, from the command's arguments."""
    if not what:
        raise ConfigError("name what to label: texts, a file, or - for standard input")
    path = Path(what[0])
    if run.reads_text and what == ["-"]:
        return [line.rstrip("\n") for line in sys.stdin if line.strip()]
    if len(what) > 1 or not _is_file(path):
        if run.reads_text:
            return what
        raise DataError(f"{run.path} reads series of numbers: name one .ts, .npz or .csv file")
    if is_series(path) == run.reads_text:
        wants = "a file of texts" if run.reads_text else "a .ts, .npz or .csv file of series"
        raise DataError(f"{path}: {run.path} reads {wants}")
    if is_series(path):
        return read_series(path, aligned=run.aligned, labelled=False)[0]
    if path.suffix in (".conllu", ".conll"):
        return read_labelled(path, aligned=True).rows
    return [text for text, _ in read_texts(path)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text too long for the name of a file
        return False
