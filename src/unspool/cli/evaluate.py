"""`unspool eval`."""

from typing import Annotated, Any

import typer

from ..tasks.caption.recipe import CAPTIONER
from ..tasks.caption.run import CaptionerRun
from ..tasks.registry import load
from ..tasks.run import LoadedRun, require
from ..tasks.text.run import Run
from ..tasks.translate.recipe import TRANSLATOR
from ..tasks.translate.run import TranslatorRun
from . import console
from .options import LENGTH_PENALTY_FORMS, RunArgument, file
from .session import prepare

TAKEN_BY: dict[str, tuple[type[LoadedRun], ...]] = {
    "weights": (Run,),
    "window": (Run,),
    "num_beams": (TranslatorRun, CaptionerRun),
    "length_penalty": (TranslatorRun, CaptionerRun),
    "length_penalty_form": (TranslatorRun, CaptionerRun),
    "tokenize": (TranslatorRun,),
    "split": (CaptionerRun,),
}


def evaluate(
    run: RunArgument,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]",
            help="A text or labelled file; without it, the run's held-out part.",
            show_default=False,
            parser=file,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="bfloat16 or int8: the loss of sampling with such weights.", show_default=False
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            help="Start from a new state after every so many tokens; else the state is carried.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Sentences to translate (runs of `train translate`).",
            show_default=False,
            parser=file,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Their translations, line by line.", show_default=False, parser=file),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            help="A folder or TAR of pictures to describe (runs of `train caption`).",
            show_default=False,
            parser=file,
        ),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Or an .npz of features.", show_default=False, parser=file)
    ] = None,
    captions: Annotated[
        str | None, typer.Option(help="The pictures' captions.", show_default=False, parser=file)
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Part of a JSON of captions.", show_default=False)
    ] = None,
    num_beams: Annotated[
        int | None,
        typer.Option(
            help="Width of the beam that translates (5) or describes (3).", show_default=False
        ),
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(
            help="p: the beam's scores / tokens to this power (1; captions 0.7).",
            show_default=False,
        ),
    ] = None,
    length_penalty_form: Annotated[
        str | None,
        typer.Option(help=f"{LENGTH_PENALTY_FORMS} (power)", show_default=False),
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
    translations; BLEU, ROUGE-L and CIDEr of captions.
    """
    prepare()
    loaded = load(run)
    options = {
        "weights": weights, "window": window, "num_beams": num_beams,
        "length_penalty": length_penalty, "length_penalty_form": length_penalty_form,
        "tokenize": tokenize, "split": split,
    }  # fmt: skip
    given: dict[str, Any] = {name: v for name, v in options.items() if v is not None}
    for name in given:
        require(loaded, *TAKEN_BY[name])
    sources = tuple(paths or ())
    if source is not None or target is not None:
        require(loaded, TranslatorRun)
        sources = TRANSLATOR.named(sources, {"source": source, "target": target})
    if images is not None or features is not None or captions is not None:
        require(loaded, CaptionerRun)
        named = {"images": images, "features": features, "captions": captions}
        sources = CAPTIONER.named(sources, named)
    if isinstance(loaded, CaptionerRun):
        given["track"] = console.track
    result = loaded.evaluate(*sources, **given)
    if as_json:
        console.print_json(result.as_dict())
        return
    print(f"{result.loss_nats:.4f} nats per {result.unit} over {result.tokens:,} {result.unit}s")
    if result.bits_per_char is not None:
        print(f"{result.bits_per_char:.4f} bits per character, {result.bits_per_byte:.4f} per byte")
    for name, value in result.metrics.items():
        print(f"{name.replace('_', ' ')} {value:.4f}")
    for name in ("signature", "chrf_signature"):
        if result.details.get(name):
            print(f"{name.replace('_', ' ')}: {console.visible(str(result.details[name]))}")
    for note in result.details.get("notes", ()):
        print(f"note: {console.visible(note)}")
    if "confusion" in result.details:
        _print_confusion(result.details["labels"], result.details["confusion"])


def _print_confusion(labels: list[str], confusion: list[list[int]]) -> None:
    labels = [console.shown(label) for label in labels]
    width = max(len(str(word)) for word in (*labels, *(n for row in confusion for n in row)))
    print("\nrow: true label, column: label found")
    print("  ".join(f"{word:>{width}}" for word in ("", *labels)))
    for label, row in zip(labels, confusion, strict=True):
        print("  ".join(f"{word:>{width}}" for word in (label, *row)))
