"""`unspool translate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data import check_standard_input, read_sentences
from ..decoding.hypotheses import Hypothesis
from ..errors import ConfigError
from ..tasks.registry import load
from ..tasks.run import require
from ..tasks.translate.decode import TranslateSearch
from ..tasks.translate.plot import AttentionFigure, render
from ..tasks.translate.run import TranslatorRun
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
from .label import is_source
from .options import RunArgument, with_options
from .session import prepare

GROUP = 512  # sentences translated before the first of them are printed


@with_options(TranslateSearch, defaults=True)
def translate(
    run: RunArgument,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]",
            help="Sentences, or files or folders of one sentence a line, or - for standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    given: dict[str, Any],
    attention: AttentionOption = None,
    cell: CellOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per sentence and line.")
    ] = False,
) -> None:
    """Translate sentences with a trained run.

    unspool translate runs/en-de "two dogs play in the snow ."
    """
    prepare()
    loaded = require(load(run, cell=cell), TranslatorRun)
    check_attention(attention, loaded, "train one with `unspool train translate --attention luong`")
    options = TranslateSearch(**given).as_dict()
    texts, references = _sentences(what)
    best: list[Hypothesis] = []
    for begin in range(0, len(texts), GROUP):
        part = texts[begin : begin + GROUP]
        for text, found in zip(part, loaded.translate(part, first=begin, **options), strict=True):
            if as_json:
                record = _record(text, found, references[len(best)])
                console.print_json(record, flush=True)
            else:
                lines = [found[0].text] if options["n_best"] == 1 else ranked(found)
                print("\n".join(map(console.written, lines)), flush=True)
            best.append(found[0])
    _say_what_was_odd(texts, best)
    if attention is not None:
        _write_attention(attention, loaded, texts, best)


def _sentences(what: list[str] | None) -> tuple[list[str], list[str | None]]:
    """Return the arguments, or every line of files, folders and standard input (empty ones too),
    and the translations that the files have beside them.
    """
    if not what:
        raise ConfigError("name sentences to translate, a file, or - for standard input")
    check_standard_input(what)
    texts: list[str] = []
    references: list[str | None] = []
    for argument in what:
        if is_source(argument):
            lines, known, notes = read_sentences(argument)
            for line in notes:
                console.note(line)
        else:
            lines, known = [argument], [None]
        texts += lines
        references += known
    return texts, references


def _record(text: str, found: Sequence[Hypothesis], reference: str | None) -> dict[str, Any]:
    known = {} if reference is None else {"reference": reference}
    return {"source": text, "translation": found[0].text, **known, "n_best": as_records(found)}


def _say_what_was_odd(texts: Sequence[str], best: Sequence[Hypothesis]) -> None:
    """Note odd results on stderr, so that standard output has the translations only."""
    unfinished = [number for number, one in enumerate(best, 1) if not one.finished]
    empty = [number for number, text in enumerate(texts, 1) if not text.strip()]
    for numbers, what in (
        (unfinished, "no translation was completed; showing the best partial one"),
        (empty, "empty, left empty"),
    ):
        if numbers:
            named = ", ".join(map(str, numbers[:3])) + (", ..." if len(numbers) > 3 else "")
            console.note(f"{len(numbers)} sentences ({named}): {what}")


def _write_attention(
    path: Path, run: TranslatorRun, texts: list[str], best: list[Hypothesis]
) -> None:
    full = [i for i, text in enumerate(texts) if text.strip()]
    chosen = full[:MOST_FIGURES] if is_page(path) else full
    found = run.attention([texts[i] for i in chosen], [best[i] for i in chosen])
    figures = [
        AttentionFigure(source, target, weights, (texts[i], best[i].text))
        for i, (source, target, weights) in zip(chosen, found, strict=True)
    ]
    write_attention(path, figures, len(full), render, _attention_record)


def _attention_record(figure: AttentionFigure) -> dict[str, Any]:
    return {"source": figure.source, "target": figure.target, "weights": figure.weights.tolist()}
