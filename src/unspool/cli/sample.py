"""`unspool sample`."""

import os
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from ..data import Vocabulary
from ..decoding.options import COUNT, Sampling
from ..errors import ConfigError
from ..kernels.sampling import WeightType
from ..options import option, redeclared
from ..tasks.draw.run import DrawRun
from ..tasks.generate.run import GeneratorRun
from ..tasks.registry import load
from ..tasks.run import LoadedRun, require
from ..tasks.text.run import Run
from ..tasks.text.stream import without_blanks
from . import console, drawings
from .options import RunArgument, output, with_options
from .session import prepare


@dataclass(frozen=True, kw_only=True)
class SampleOptions(Sampling):
    """How texts are sampled, with the command's own defaults."""

    max_new_tokens: int = option(500, "how many tokens to write", at_least=1, below=COUNT)
    temperature: float = redeclared(Sampling, "temperature", default=0.8)
    count: int = option(1, "how many texts to write, or images to draw", at_least=1, below=COUNT)
    condition: str | None = option(
        None, "the label to write or draw for (runs of `train generate` and `train draw`)"
    )
    stop: str | None = option(None, "stop before this string")
    weights: str = option("float32", "fewer bits are faster", choices=get_args(WeightType))
    keep_unknown: bool = option(False, "allow the unknown token in the text")


DRAWING = {"run", "count", "seed", "condition", "plot", "as_json"}  # parameters for images


@with_options(SampleOptions, defaults=True)
def sample(
    context: typer.Context,
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="The text to continue.")] = "",
    *,
    given: dict[str, Any],
    plot: Annotated[
        Path | None,
        typer.Option(
            help="For runs of `train draw`: an .html, .svg or .png file that shows the steps.",
            show_default=False,
            parser=output,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per text or image, and line.")
    ] = False,
) -> None:
    """Write text with a trained run, or single lines for a --condition; or draw images.

    unspool sample runs/shakespeare --prompt "ROMEO:" --temperature 0.8 --top-p 0.95
    """
    prepare()
    options = SampleOptions(**given)
    loaded = load(run)
    if isinstance(loaded, DrawRun):
        _refuse_given(context, DRAWING, loaded)
        drawings.show(loaded, options.count, options.condition, options.seed, plot, as_json)
        return
    if plot is not None:
        raise ConfigError(f"--plot does not apply: {run} is {loaded.what}")
    if isinstance(loaded, GeneratorRun):
        _write_lines(loaded, prompt, options, as_json)
    else:
        _write_texts(require(loaded, Run), prompt, options, as_json)


def _write_lines(run: GeneratorRun, prompt: str, options: SampleOptions, as_json: bool) -> None:
    """Write lines for a label, each up to its END."""
    condition, weights = options.condition, options.weights
    if condition is None:
        raise ConfigError(f"--condition must be one of {', '.join(run.labels)}")
    if options.stop is not None:
        raise ConfigError("--stop does not go with --condition: END stops")
    if weights != "float32":
        raise ConfigError(f"--weights {weights} does not go with --condition: leave it out")
    _say_what_is_unknown(run.encoder.vocab, prompt)
    taken = {
        k: v for k, v in options.as_dict().items() if k not in ("condition", "stop", "weights")
    }
    for number, text in enumerate(run.sample(condition, prompt, **taken)):
        record = {"condition": condition, **_record(run, prompt, text, options.seed, number)}
        console.print_json(record) if as_json else print(console.written(text))


def _write_texts(run: Run, prompt: str, options: SampleOptions, as_json: bool) -> None:
    """Write texts: one as it is made, several or JSON when they are whole."""
    if options.condition is not None:
        raise ConfigError(f"--condition does not apply: {run.path} is {run.what}")
    _say_what_is_unknown(run.vocab, prompt)
    writes_bytes = run.vocab.kind == "byte"
    if writes_bytes:  # as they were typed, whatever the locale
        prompt = os.fsencode(prompt).decode(errors="surrogateescape")
    taken = {k: v for k, v in options.as_dict().items() if k != "condition"}
    pieces = run.stream(prompt, errors="surrogateescape" if writes_bytes else "replace", **taken)
    write = _write_bytes if writes_bytes else _write
    if options.count == 1 and not as_json:
        for piece in chain([prompt], (piece for (piece,) in pieces), ["\n"]):
            write(piece)
        return
    texts = ["".join(parts) for parts in zip(*pieces, strict=True)]
    for number, text in enumerate(texts):
        if as_json:
            console.print_json(_record(run, prompt, text, options.seed, number))
        else:
            write(f"--- {number + 1} of {options.count}\n{prompt}{text}\n\n")


def _refuse_given(context: typer.Context, taken: set[str], run: LoadedRun) -> None:
    """Raise ConfigError for an option of the command line that does not apply to the run."""
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name not in taken and source is not None and source.name == "COMMANDLINE":
            raise ConfigError(f"{parameter.opts[0]} does not apply: {run.path} is {run.what}")


def _say_what_is_unknown(vocab: Vocabulary, prompt: str) -> None:
    read = without_blanks(vocab, prompt)
    unknown = [repr(token.strip() or token) for token in vocab.unknown_in([read])]
    if unknown:
        named = ", ".join(dict.fromkeys(unknown))
        console.note(f"unknown to the run: {named}; the unknown token is read instead")


def _write(text: str) -> None:
    sys.stdout.write(console.written(text))
    sys.stdout.flush()


def _write_bytes(text: str) -> None:
    """Write text as UTF-8 and other bytes unchanged; on a terminal, show those as \\xNN."""
    data = text.encode(errors="surrogateescape")
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None or sys.stdout.isatty():
        _write(data.decode(errors="backslashreplace"))
        return
    sys.stdout.flush()
    stream.write(data)
    stream.flush()


def _record(run: LoadedRun, prompt: str, text: str, seed: int, number: int) -> dict[str, object]:
    """Build the JSON object; bytes that are not UTF-8 are U+FFFD in it, and `hex` has them all."""
    data = text.encode(errors="surrogateescape")
    shown = data.decode(errors="replace")
    whole = {} if shown.encode() == data else {"hex": data.hex()}
    prompt = prompt.encode(errors="surrogateescape").decode(errors="replace")
    record = {"prompt": prompt, "text": shown, **whole, "seed": seed, "number": number}
    return {**record, "run": str(run.path)}
