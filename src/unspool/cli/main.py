"""The `unspool` command: its subcommands, and errors on one line."""

import io
import os
import sys
from typing import Any, NoReturn

import jax
import typer

from .._version import __version__
from ..errors import UnspoolError
from . import (
    bench,
    caption,
    console,
    demo,
    evaluate,
    gradients,
    hello,
    info,
    inspect,
    label,
    sample,
    studio,
    train,
    translate,
)

app = typer.Typer(
    help="Recurrent neural networks that train, sample and explain themselves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.add_typer(train.app, name="train")
app.command("sample")(sample.sample)
app.command("classify")(label.classify)
app.command("tag")(label.tag)
app.command("translate")(translate.translate)
app.command("caption")(caption.caption)
app.command("eval")(evaluate.evaluate)
app.command("inspect")(inspect.inspect)
app.command("gradients")(gradients.gradients)
app.command("info")(info.info)
app.command("bench")(bench.bench)
app.command("hello")(hello.hello)
app.command("studio")(studio.studio)

# Typer brings click along under a name that differs between its versions; these two do not.
UsageError = typer.BadParameter.__mro__[1]
ClickException = UsageError.__mro__[1]


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        print(f"unspool {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line; an error on purpose is one line on stderr and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that cannot show all of Unicode
        sys.stdout.reconfigure(errors="replace")
    try:
        code = app(prog_name="unspool", standalone_mode=False) or 0
        sys.stdout.flush()
    except UnspoolError as error:
        code = _fail(str(error))
    except ClickException as error:
        # Without a message the help has been printed already.
        code = _fail(_usage(error)) if error.format_message() else 2
    except (KeyboardInterrupt, typer.Abort):
        code = _fail("interrupted", 130)
    except (BrokenPipeError, SystemExit):  # the reader of our output has gone, as in `| head`
        # Typer turns the error into an exit with code 1, ours is for the last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except OSError as error:
        code = _fail(f"{error.filename or 'system'}: {error.strerror or error}")
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        code = _fail("not enough memory: lower hidden, layers, batch, steps_per_chunk or count")
    sys.exit(code)


def _fail(message: str, code: int = 2) -> int:
    print(f"unspool: {console.visible(message)}", file=sys.stderr)
    return code


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context else ""
    return error.format_message().rstrip(".") + hint
