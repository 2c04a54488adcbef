"""`unspool eval`."""

import json
from typing import Annotated

import typer

from ..recipes.translate import TRANSLATOR
from ..run import Run, TranslatorRun, load, require
from .options import RunArgument
from .session import prepare


def evaluate(
    run: RunArgument,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]",
            help="A text or labelled file; without it, the run's held-out part.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="bfloat16 or int8: the loss of sampling with such weights.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Sentences to translate (runs of `train translate`).", show_default=False
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Their translations, line by line.", show_default=False)
    ] = None,
    num_beams: Annotated[
        int | None, typer.Option(help="Width of the beam that translates (5).", show_default=False)
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(help="Scores of the beam / tokens to this power (1).", show_default=False),
    ] = None,
    tokenize: Annotated[
        str | None,
        typer.Option(
            help="sacreBLEU's tokeniser (13a); none for tokenised text.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Loss of a trained run on a text; accuracy and F1 on labelled sequences; BLEU and chrF of
    translations.
    """
    prepare()
    loaded = load(run)
    options = {
        "weights": weights, "num_beams": num_beams, "length_penalty": length_penalty,
        "tokenize": tokenize,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        require(loaded, Run if name == "weights" else TranslatorRun)
    sources = tuple(paths or ())
    if source is not None or target is not None:
        require(loaded, TranslatorRun)
        sources = TRANSLATOR.named(sources, {"source": source, "target": target})
    result = loaded.evaluate(*sources, **given)
    if as_json:
        print(json.dumps(result.as_dict()))
        return
    print(f"{result.loss_nats:.4f} nats per {result.unit} over {result.tokens:,} {result.unit}s")
    if result.bits_per_char is not None:
        print(f"{result.bits_per_char:.4f} bits per character, {result.bits_per_byte:.4f} per byte")
    for name, value in result.metrics.items():
        print(f"{name.replace('_', ' ')} {value:.4f}")
    for name in ("signature", "chrf_signature", "notes"):
        if result.details.get(name):
            print(f"{name.replace('_', ' ')}: {result.details[name]}")
    if "confusion" in result.details:
        _print_confusion(result.details["labels"], result.details["confusion"])


def _print_confusion(labels: list[str], confusion: list[list[int]]) -> None:
    width = max(len(str(word)) for word in (*labels, *(n for row in confusion for n in row)))
    print("\nrow: true label, column: label found")
    print("  ".join(f"{word:>{width}}" for word in ("", *labels)))
    for label, row in zip(labels, confusion, strict=True):
        print("  ".join(f"{word:>{width}}" for word in (label, *row)))
