"""`unspool eval`."""

from collections import defaultdict
from dataclasses import Field, fields, make_dataclass
from typing import Annotated, Any

import typer

from ..errors import RunError
from ..options import Options, option
from ..tasks.registry import KINDS, Kind, kind_of, load
from ..tasks.run import LoadedRun
from ..training.task import Evaluation
from . import console
from .cells import CellOption
from .options import RunArgument, file, flag_of, with_options, words_of
from .session import prepare


def _options_of(kind: Kind) -> list[Field[Any]]:
    """The options with which a kind of run is evaluated: those that name sources, and its own."""
    named = [f for f in fields(kind.recipe.options) if f.name in kind.recipe.source_options]
    return [*named, *fields(kind.run.eval_options)]


def _options_of_all() -> dict[str, dict[str, Field[Any]]]:
    """Each option's declarations by the kinds of runs that have it, as `train` calls them."""
    found: dict[str, dict[str, Field[Any]]] = defaultdict(dict)
    for kind in KINDS.values():
        for field in _options_of(kind):
            found[field.name][kind.recipe.name] = field
    return found


DECLARED = _options_of_all()


def _flag(name: str) -> tuple[str, Any, Any]:
    """An option of any kind, with the defaults in its help: which one holds depends on the run."""
    kinds = DECLARED[name]
    field = next(iter(kinds.values()))
    defaults = {kind: str(one.default) for kind, one in kinds.items() if one.default is not None}
    if len(set(defaults.values())) > 1:
        defaults = {kind: f"{kind} {default}" for kind, default in defaults.items()}
    shown = ", ".join(dict.fromkeys(defaults.values()))
    text = words_of(field) + (f" ({shown})" if shown else "")
    return name, field.type, option(None, text, is_file=field.metadata["is_file"])


def _panel(_: type[Options], name: str) -> str:
    """Options stand together that the same kinds of runs have."""
    return "Runs of " + " and ".join(f"`train {kind}`" for kind in DECLARED[name])


EvalOptions = make_dataclass(
    "EvalOptions", map(_flag, DECLARED), bases=(Options,), frozen=True, kw_only=True
)


@with_options(EvalOptions, _panel, defaults=True)
def evaluate(
    run: RunArgument,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]",
            help="Texts or labelled files; default: the run's held-out part.",
            show_default=False,
            parser=file,
        ),
    ] = None,
    *,
    given: dict[str, Any],
    cell: CellOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print the loss of a run on a text; accuracy and F1 on labelled sequences; BLEU and chrF of
    translations; BLEU, ROUGE-L and CIDEr of captions.
    """
    prepare()
    loaded = load(run, cell=cell, track=console.track)
    recipe = kind_of(loaded.config).recipe
    _check_applies(given, loaded)
    sources = recipe.named(tuple(paths or ()), given)
    own = {name: value for name, value in given.items() if name not in recipe.source_options}
    result = loaded.evaluate(*sources, **own)
    if as_json:
        console.print_json(result.as_dict())
    else:
        _print(result)


def _check_applies(given: dict[str, Any], run: LoadedRun) -> None:
    """Raise RunError for an option that is not the run's."""
    known = {field.name for field in _options_of(kind_of(run.config))}
    for name in given:
        if name not in known:
            flag = flag_of(next(iter(DECLARED[name].values())))
            raise RunError(f"{flag} does not apply: {run.path} is {run.what}")


def _print(result: Evaluation) -> None:
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
    print("\nrow: true label, column: predicted label")
    print("  ".join(f"{word:>{width}}" for word in ("", *labels)))
    for label, row in zip(labels, confusion, strict=True):
        print("  ".join(f"{word:>{width}}" for word in (label, *row)))
