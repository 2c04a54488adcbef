"""Shared by `unspool translate` and `unspool caption`: printing hypotheses, and --attention."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import files
from ..decoding.hypotheses import Hypothesis
from ..errors import ConfigError
from ..tasks.run import LoadedRun
from . import console, streams
from .options import output

MOST_FIGURES = 20  # on a page
AttentionOption = Annotated[
    Path | None,
    typer.Option(
        help="Write the attention of each word: a page (.html) of the first "
        f"{MOST_FIGURES}, or all weights (.json).",
        show_default=False,
        parser=output,
    ),
]


def as_records(found: Sequence[Hypothesis]) -> list[dict[str, Any]]:
    """Return the hypotheses of one input as JSON values."""
    names = ("text", "score", "log_p", "finished")
    return [{name: getattr(one, name) for name in names} for one in found]


def ranked(found: Sequence[Hypothesis]) -> Iterator[str]:
    """Yield a line for each hypothesis with its score, and an empty one after the last."""
    for one in found:
        yield f"{one.score:.4f}\t{one.text}{'' if one.finished else ' ...'}"
    yield ""


def check_attention(path: Path | None, run: LoadedRun, remedy: str) -> None:
    """Raise ConfigError if --attention is not a page or JSON, or the model has no attention."""
    if path is None:
        return
    if not is_page(path) and path.suffix.lower() != ".json":
        raise ConfigError(f"--attention must end in .html or .json, got {path}")
    if run.model.decoder.attention is None:
        raise ConfigError(f"{run.path} has no attention", remedy)
    streams.outlive_readers()


def is_page(path: Path) -> bool:
    """Say whether attention is written as a page for readers, not as numbers."""
    return path.suffix.lower() == ".html"


def write_attention(
    path: Path,
    figures: Sequence[Any],
    total: int,
    render: Callable[[Any], str],
    record: Callable[[Any], dict[str, Any]],
) -> None:
    """Write figures, the first of `total`, as a page made by `render` or a JSON of records."""
    if not is_page(path):
        files.write_json(path, [record(figure) for figure in figures])
        return
    files.write_bytes(path, render(figures).encode())
    if total > len(figures):
        console.note(f"{path} shows the first {len(figures)} of {total}")
