"""`unspool train ...`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..recipes import toml
from ..recipes.text import TextOptions, merge_options, resume_text, train_text
from ..training.reports import StopReport
from . import console
from .options import with_options
from .session import prepare

app = typer.Typer(help="Train a model into a run directory.", no_args_is_help=True)

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT]",
        help="Files, folders, - for standard input, or a corpus: stdlib, tiny-shakespeare.",
        show_default=False,
    ),
]


@app.callback()
def _group() -> None:
    pass


@app.command("text")
@with_options(TextOptions)
def text(
    paths: Sources = None,
    run: Annotated[
        Path | None, typer.Option(help="The run directory to write.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file of options; flags win over it.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --run.")] = False,
    *,
    given: dict[str, Any],
) -> None:
    """Train a language model on a text.

    unspool train text tiny-shakespeare --run runs/shakespeare

    Ctrl-C saves and stops; the same command with --resume goes on. Each option is also a key
    of a --config file; what a run used is in its options.toml.
    """
    from_file = toml.read(config) if config else {}
    run = run or _run_of(from_file.pop("run", None), config)
    sources = tuple(paths or _paths_of(from_file.pop("paths", []), config))
    TextOptions.check_keys(from_file, where=f"{config}: ")
    if run is None:
        raise ConfigError("--run must name the run directory to write, as in --run runs/mine")
    prepare()
    if resume:
        _, reports = resume_text(sources, run, {**from_file, **given})
    elif not sources:
        raise ConfigError("a text must be named: a file, a folder, -, stdlib or tiny-shakespeare")
    else:
        reports = train_text(sources, run, merge_options(from_file, given))
    report_end(console.show(reports), run)


def _run_of(value: Any, config: Path | None) -> Path | None:
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{config}: run must be a string, got {value!r}")
    return None if value is None else Path(value)


def _paths_of(value: Any, config: Path | None) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(
            f'{config}: paths must be a list of strings, as in ["a.txt"], got {value!r}'
        )
    return value


def report_end(last: StopReport | None, run: Path) -> None:
    """Say how training ended and what to do with the run."""
    if last is None:
        return
    best = last.best_val_loss_nats
    loss = "" if best is None else f", best held-out loss {best:.4f} nats"
    print(f"{last.reason} at step {last.step}{loss}; the run is in {run}")
    if last.reason.startswith("stopped by"):
        print(f"go on with: unspool train text --run {run} --resume")
    else:
        print(f'write with: unspool sample {run} --prompt "..."')
