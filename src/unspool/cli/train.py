"""The commands `unspool train ...`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import options_file
from ..cells import is_own
from ..errors import ConfigError
from ..tasks.recipe import Recipe
from ..tasks.registry import KINDS
from ..training.directory import CONFIG
from ..training.reports import StopReport
from ..training.task import LOSS
from . import console, streams
from .cells import named_cell
from .command import Command
from .options import file, path, with_options
from .session import prepare

app = typer.Typer(help="Train a model into a run directory.", no_args_is_help=True)


RunOption = Annotated[
    Path | None, typer.Option(help="The run directory to write.", show_default=False, parser=path)
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file of options; flags override it.", show_default=False, parser=path
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Resume the run given by --run.")]


@app.callback()
def _group() -> None:
    pass


def _command(recipe: Recipe) -> None:
    """Add the command of a recipe."""
    metavar, about = recipe.sources
    sources = Annotated[
        list[str] | None,
        typer.Argument(metavar=f"[{metavar}]", help=about, show_default=False, parser=file),
    ]

    @app.command(recipe.name, cls=Command, help=f"{recipe.help}\n\n    {_SAVES}")
    @with_options(recipe.options)
    def command(
        paths: sources = None,
        run: RunOption = None,
        config: ConfigOption = None,
        resume: ResumeOption = False,
        *,
        given: dict[str, Any],
    ) -> None:
        streams.outlive_readers()
        from_file = _read(config, recipe, given) if config else {}
        run = run or from_file.pop("run", None)
        named = tuple(paths or from_file.pop("paths", ()))
        from_file.pop("paths", None)
        named = recipe.named(named, {**from_file, **given})
        named_cell({**from_file, **given}.get("cell", ""))
        if run is None:
            raise ConfigError("--run must name the run directory to write, as in --run runs/mine")
        prepare()
        if resume:
            _, reports = recipe.resume(named, run, {**from_file, **given})
        elif not named:
            raise ConfigError(recipe.missing)
        else:
            reports = recipe.start(named, run, recipe.merge(named, from_file, given))
        report_end(console.show(reports), run, recipe)


def _read(config: Path, recipe: Recipe, given: dict[str, Any]) -> dict[str, Any]:
    """Read `run`, `paths` and options from a TOML file; check those that no flag overrides."""
    values = options_file.read(config)
    own = {key: values.pop(key) for key in ("run", "paths") if key in values}
    if is_own(values.get("cell")) and "cell" not in given and (config.parent / CONFIG).exists():
        raise ConfigError(
            f"{config} belongs to a run, which does not import {values['cell']} by itself",
            options={f"cell={values['cell']}": "add {}"},
        )
    recipe.options.check_keys(values, where=f"{config}: ")
    files = [f.name for f in dataclasses.fields(recipe.options) if f.metadata["is_file"]]
    try:
        recipe.options.merge({key: v for key, v in values.items() if key not in given})
        values |= {key: _named(key, values[key], file) for key in files if key in values}
        if "run" in own:
            own["run"] = _named("run", own["run"], path)
        if "paths" in own:
            own["paths"] = _paths_of(own["paths"])
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from error
    return values | own


def _paths_of(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f'paths must be a list of strings, as in ["a.txt"], got {value!r}')
    return [_named("paths", item, file) for item in value]


def _named(key: str, value: Any, read: Callable[[str], Any]) -> Any:
    """Return what a flag with this value would name."""
    if not isinstance(value, str):
        raise ConfigError(f"{key} must be a string, got {value!r}")
    try:
        return read(value)
    except typer.BadParameter as error:
        raise ConfigError(f"{key} {error.message}") from error


def report_end(last: StopReport | None, run: Path, recipe: Recipe) -> None:
    """Say how training ended and what to do with the run."""
    if last is None:
        return
    print(
        f"{last.reason} at step {last.step}{_best(last)}; the run is in {console.visible(str(run))}"
    )
    quoted = console.quoted(run)
    if last.reason.startswith("stopped by"):
        print(f"resume with: unspool train {recipe.name} --run {quoted} --resume")
    else:
        print(recipe.next_command.format(run=quoted))


def _best(last: StopReport) -> str:
    """Say how good the kept weights are, and by which figure they were chosen."""
    if last.best_value is None:
        return ""
    loss = f"held-out loss {last.best_val_loss_nats:.4f} nats"
    if last.best_by == LOSS:
        return f"; kept: step {last.best_step}, best {loss}"
    return (
        f"; kept: step {last.best_step}, best {last.best_by.replace('_', ' ')} "
        f"{last.best_value:.4f}, {loss}"
    )


_SAVES = (
    "Ctrl-C saves and stops; the same command with --resume continues. Each option is also a key "
    "of a --config file; a run keeps the options it used in options.toml."
)
for _kind in KINDS.values():
    _command(type(_kind.recipe)(console.track))
