"""The `unspool` command: its subcommands, and errors on one line."""

import io
import sys
from contextlib import suppress
from typing import Any, NoReturn

import typer

from .. import _startup
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
    streams,
    studio,
    train,
    translate,
)
from .command import Command

app = typer.Typer(
    help="Recurrent neural networks that train, sample and explain themselves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[str, Any] = {
    "demo": demo.demo,
    "train": train.app,
    "sample": sample.sample,
    "classify": label.classify,
    "tag": label.tag,
    "translate": translate.translate,
    "caption": caption.caption,
    "eval": evaluate.evaluate,
    "inspect": inspect.inspect,
    "gradients": gradients.gradients,
    "info": info.info,
    "bench": bench.bench,
    "hello": hello.hello,
    "studio": studio.studio,
}
for name, command in COMMANDS.items():
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name, cls=Command)(command)

# Typer brings click along under a name that differs between its versions; these two do not.
UsageError = typer.BadParameter.__mro__[1]
ClickException = UsageError.__mro__[1]


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        print(f"unspool {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line; a user error is one line on stderr and exit code 2."""
    _startup.imported()
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
    except (BrokenPipeError, SystemExit) as error:
        # Typer and rich turn the error into an exit with code 1; ours handles the last flush.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        streams.drop(1)  # the reader of our output is gone, as in `| head`
        code = 0
    except OSError as error:
        code = _fail(f"{error.filename or 'cannot write the output'}: {error.strerror or error}")
        streams.drop(1)  # otherwise Python tries to write the rest once more
    sys.exit(code)


def _fail(message: str, code: int = 2) -> int:
    with suppress(OSError):  # nobody reads it
        print(f"unspool: {console.visible(message)}", file=sys.stderr, flush=True)
    return code


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context else ""
    return error.format_message().rstrip(".") + hint
