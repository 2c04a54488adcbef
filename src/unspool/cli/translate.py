"""`unspool translate`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import files
from ..data import check_standard_input, read_sentences
from ..decoding.hypotheses import Hypothesis
from ..errors import ConfigError
from ..tasks.registry import load
from ..tasks.run import require
from ..tasks.translate.plot import AttentionFigure, render
from ..tasks.translate.run import TranslatorRun
from . import console, streams
from .label import is_source
from .options import LengthPenaltyForm, RunArgument, output
from .session import prepare

MOST_FIGURES = 20  # sentences in a picture
GROUP = 512  # sentences translated before the first of them are printed


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
    num_beams: Annotated[int, typer.Option(help="Width of the beam search; 1: greedy.")] = 5,
    length_penalty: Annotated[
        float, typer.Option(help="p: scores are divided by tokens to this power; 0: not at all.")
    ] = 1.0,
    length_penalty_form: LengthPenaltyForm = "power",
    n_best: Annotated[int, typer.Option(help="Translations a sentence, best first.")] = 1,
    do_sample: Annotated[bool, typer.Option("--sample", help="Draw instead of searching.")] = False,
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
        int | None,
        typer.Option(
            help="Most tokens of a translation (twice the sentence's).", min=1, show_default=False
        ),
    ] = None,
    batch: Annotated[int, typer.Option(help="Sentences decoded at once.")] = 32,
    attention: Annotated[
        Path | None,
        typer.Option(
            help="Write what the network looked at: a page (.html) of the first "
            f"{MOST_FIGURES} sentences, or all weights (.json).",
            show_default=False,
            parser=output,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a sentence, on a line.")
    ] = False,
) -> None:
    """Translate sentences with a trained run.

    unspool translate runs/en-de "two dogs play in the snow ."
    """
    prepare()
    loaded = require(load(run), TranslatorRun)
    if attention is not None and attention.suffix.lower() not in (".html", ".json"):
        raise ConfigError(f"--attention must end in .html or .json, got {attention}")
    if attention is not None:
        streams.outlive_readers()
    options: dict[str, Any] = {
        "num_beams": num_beams, "length_penalty": length_penalty,
        "length_penalty_form": length_penalty_form, "n_best": n_best,
        "max_new_tokens": max_new_tokens, "batch": batch,
    }  # fmt: skip
    if do_sample:
        sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        options |= {"do_sample": True, **sampling}
    elif temperature != 1 or top_k is not None or top_p is not None:
        raise ConfigError("--temperature, --top-k and --top-p need --sample")
    texts, references = _sentences(what)
    best: list[Hypothesis] = []
    for begin in range(0, len(texts), GROUP):
        part = texts[begin : begin + GROUP]
        for text, found in zip(part, loaded.translate(part, first=begin, **options), strict=True):
            if as_json:
                record = _record(text, found, references[len(best)])
                console.print_json(record, flush=True)
            else:
                print("\n".join(map(console.written, _lines(found, n_best))), flush=True)
            best.append(found[0])
    _say_what_was_odd(texts, best)
    if attention is not None:
        _write_attention(attention, loaded, texts, best)


def _sentences(what: list[str] | None) -> tuple[list[str], list[str | None]]:
    """The arguments, or every line of files, folders and standard input, empty ones too; and
    translations that files have beside them.
    """
    if not what:
        raise ConfigError("name what to translate: sentences, a file, or - for standard input")
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
    best = [
        {"text": one.text, "score": one.score, "log_p": one.log_p, "finished": one.finished}
        for one in found
    ]
    known = {} if reference is None else {"reference": reference}
    return {"source": text, "translation": found[0].text, **known, "n_best": best}


def _lines(found: Sequence[Hypothesis], n_best: int) -> Iterator[str]:
    if n_best == 1:
        yield found[0].text
    else:
        for one in found:
            yield f"{one.score:.4f}\t{one.text}{'' if one.finished else ' ...'}"
        yield ""


def _say_what_was_odd(texts: Sequence[str], best: Sequence[Hypothesis]) -> None:
    """On stderr, so that the translations stay alone on standard output."""
    unfinished = [number for number, one in enumerate(best, 1) if not one.finished]
    empty = [number for number, text in enumerate(texts, 1) if not text.strip()]
    for numbers, what in (
        (unfinished, "no translation came to its END: the best unfinished one is given"),
        (empty, "empty, and stay so"),
    ):
        if numbers:
            named = ", ".join(map(str, numbers[:3])) + (", ..." if len(numbers) > 3 else "")
            console.note(f"{len(numbers)} sentences ({named}): {what}")


def _write_attention(
    path: Path, run: TranslatorRun, texts: list[str], best: list[Hypothesis]
) -> None:
    full = [i for i, text in enumerate(texts) if text.strip()]
    chosen = full[:MOST_FIGURES] if path.suffix.lower() == ".html" else full
    found = run.attention([texts[i] for i in chosen], [best[i] for i in chosen])
    figures = [
        AttentionFigure(source, target, weights, (texts[i], best[i].text))
        for i, (source, target, weights) in zip(chosen, found, strict=True)
    ]
    if path.suffix.lower() == ".html":
        files.write_bytes(path, render(figures).encode())
        if len(full) > MOST_FIGURES:
            console.note(f"{path} shows the first {MOST_FIGURES} of {len(full)}")
        return
    records = [
        {"source": figure.source, "target": figure.target, "weights": figure.weights.tolist()}
        for figure in figures
    ]
    files.write_json(path, records)
