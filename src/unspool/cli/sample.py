"""`unspool sample`."""

import os
import sys
from itertools import chain
from typing import Annotated

import typer

from ..data import Vocabulary
from ..errors import ConfigError
from ..tasks.generate.run import GeneratorRun
from ..tasks.registry import load
from ..tasks.run import LoadedRun, require
from ..tasks.text.run import Run
from ..tasks.text.stream import without_blanks
from . import console
from .options import RunArgument
from .session import prepare


def sample(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="The text to continue.")] = "",
    max_new_tokens: Annotated[int, typer.Option(help="Tokens to write.")] = 500,
    temperature: Annotated[
        float, typer.Option(help="Below 1: safer; above 1: wilder; 0: always the likeliest.")
    ] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from the k likeliest tokens.", show_default=False)
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Draw from the likeliest tokens of this total.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option(help="Texts to write at once.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    condition: Annotated[
        str | None,
        typer.Option(help="The label to write for (runs of `train generate`).", show_default=False),
    ] = None,
    stop: Annotated[
        str | None, typer.Option(help="End before this string.", show_default=False)
    ] = None,
    weights: Annotated[
        str, typer.Option(help="float32, bfloat16 or int8: fewer bits, faster text.")
    ] = "float32",
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown", help="Let the unknown token be written.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a text, on a line.")
    ] = False,
) -> None:
    """Write text with a trained run, or single lines for a --condition.

    unspool sample runs/shakespeare --prompt "ROMEO:" --temperature 0.8 --top-p 0.95
    """
    prepare()
    options = {
        "count": count, "max_new_tokens": max_new_tokens, "temperature": temperature,
        "top_k": top_k, "top_p": top_p, "seed": seed,
    }  # fmt: skip
    found = load(run)
    if isinstance(found, GeneratorRun):
        if condition is None:
            raise ConfigError(f"--condition must be one of {', '.join(found.labels)}")
        if stop is not None:
            raise ConfigError("--stop does not go with --condition: END stops")
        if weights != "float32":
            raise ConfigError(f"--weights {weights} does not go with --condition: leave it out")
        _say_what_is_unknown(found.encoder.vocab, prompt)
        texts = found.sample(condition, prompt, keep_unknown=keep_unknown, **options)
        for number, text in enumerate(texts):
            record = {"condition": condition, **_record(found, prompt, text, seed, number)}
            console.print_json(record) if as_json else print(console.written(text))
        return
    loaded = require(found, Run)
    if condition is not None:
        raise ConfigError(f"--condition does not apply: {run} is {loaded.what}")
    _say_what_is_unknown(loaded.vocab, prompt)
    writes_bytes = loaded.vocab.kind == "byte"
    if writes_bytes:  # as they were typed, whatever the locale
        prompt = os.fsencode(prompt).decode(errors="surrogateescape")
    found_options = {**options, "errors": "surrogateescape" if writes_bytes else "replace"}
    pieces = loaded.stream(
        prompt, stop=stop, weights=weights, keep_unknown=keep_unknown, **found_options
    )
    write = _write_bytes if writes_bytes else _write
    if count == 1 and not as_json:
        for piece in chain([prompt], (piece for (piece,) in pieces), ["\n"]):
            write(piece)
        return
    texts = ["".join(parts) for parts in zip(*pieces, strict=True)]
    for number, text in enumerate(texts):
        if as_json:
            console.print_json(_record(loaded, prompt, text, seed, number))
        else:
            write(f"--- {number + 1} of {count}\n{prompt}{text}\n\n")


def _say_what_is_unknown(vocab: Vocabulary, prompt: str) -> None:
    read = without_blanks(vocab, prompt)
    unknown = [repr(token.strip() or token) for token in vocab.unknown_in([read])]
    if unknown:
        named = ", ".join(dict.fromkeys(unknown))
        console.note(f"the run does not know {named}: it reads the unknown token")


def _write(text: str) -> None:
    sys.stdout.write(console.written(text))
    sys.stdout.flush()


def _write_bytes(text: str) -> None:
    """Write text in UTF-8, and bytes that are none as they are; on a terminal these as \\xNN."""
    data = text.encode(errors="surrogateescape")
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None or sys.stdout.isatty():
        _write(data.decode(errors="backslashreplace"))
        return
    sys.stdout.flush()
    stream.write(data)
    stream.flush()


def _record(run: LoadedRun, prompt: str, text: str, seed: int, number: int) -> dict[str, object]:
    """As JSON, in which bytes that are not UTF-8 are U+FFFD, and `hex` has them all."""
    data = text.encode(errors="surrogateescape")
    shown = data.decode(errors="replace")
    whole = {} if shown.encode() == data else {"hex": data.hex()}
    prompt = prompt.encode(errors="surrogateescape").decode(errors="replace")
    record = {"prompt": prompt, "text": shown, **whole, "seed": seed, "number": number}
    return {**record, "run": str(run.path)}
