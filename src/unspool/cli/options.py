"""Make command-line options from option dataclasses: one declaration for flags and TOML keys."""

import dataclasses
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..decoding.options import Beam, Sampling, Search
from ..options import Options, listed
from ..training.config import TrainingConfig


def file(value: str | Path) -> str:
    """Expand ~ in the name of a file, folder or source; refuse an empty name.

    An unset variable (`--run "$RUN"`) would otherwise mean the current folder.
    """
    value = os.fspath(value)  # a default may be a path
    if not value:
        raise typer.BadParameter("must name a file or folder, got an empty string")
    if "\0" in value:  # from a TOML file; arguments cannot contain it
        raise typer.BadParameter("must name a file or folder, got a name with a NUL character")
    return os.path.expanduser(value)


def path(value: str | Path) -> Path:
    """Return the same as a path."""
    return Path(file(value))


def output(value: str | Path) -> Path:
    """Return the path of a file to write, checked before any work is done.

    The file will be replaced, which must not happen to a device such as /dev/stdout.
    """
    target = path(value)
    if not target.parent.is_dir():
        raise typer.BadParameter(f"cannot write {target}: there is no folder {target.parent}")
    if target.exists() and not target.is_file():
        raise typer.BadParameter(f"{target} is a folder, pipe or device: name a file")
    return target


RunArgument = Annotated[
    Path, typer.Argument(help="A run directory.", show_default=False, parser=path)
]

# Parts of a help page: in commands with these options those of the second class stand there.
PANELS = (
    (TrainingConfig, TrainingConfig, "Training"),
    (Beam, Beam, "Beam search"),
    (Search, Sampling, "With --sample"),
    (Sampling, Sampling, "Sampling"),
)


def panel_of(options: type[Options], name: str) -> str | None:
    """The part of the help page where an option is shown; None: with the command's own."""
    for command, declared, panel in PANELS:
        if issubclass(options, command) and name in declared.__dataclass_fields__:
            return panel
    return "Model and data" if issubclass(options, TrainingConfig) else None


def with_options(
    options: type[Options],
    panel_of: Callable[[type[Options], str], str | None] = panel_of,
    *,
    defaults: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag for each field of `options`; it receives those given on the
    command line as its keyword argument `given`, a dict, in whose place --help has them.

    Without `defaults`, a TOML file, a preset or the run decides what is not given.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())
        place = [p.name for p in own].index("given")
        names = [field.name for field in dataclasses.fields(options)]

        def wrapper(**values: Any) -> None:
            given = {name: values.pop(name) for name in names}
            command(**values, given={k: v for k, v in given.items() if v is not None})

        panels = {name: panel_of(options, name) for name in names}
        fields = sorted(dataclasses.fields(options), key=lambda f: panels[f.name] == "Training")
        flags = [_flag(field, panels[field.name], defaults) for field in fields]
        own[place : place + 1] = flags
        wrapper.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in own}
        wrapper.__doc__ = command.__doc__
        wrapper.options = options  # type: ignore[attr-defined]
        return wrapper

    return decorate


def _flag(field: dataclasses.Field[Any], panel: str | None, defaults: bool) -> inspect.Parameter:
    flag, kind = flag_of(field), _type(field)
    may_be_off = kind is bool and not (defaults and field.default is False)
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if may_be_off else flag,
        help=_sentence(field) if defaults else _help(field),
        rich_help_panel=panel,
        show_default=defaults,
        parser=file if field.metadata["is_file"] else None,
    )
    default = field.default if defaults else None
    wanted = Optional[kind] if default is None else kind  # noqa: UP045 (a run-time type)
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[wanted, option],
    )


def flag_of(field: dataclasses.Field[Any]) -> str:
    """An option's name on the command line."""
    return "--" + (field.metadata["flag"] or field.name).replace("_", "-")


def _type(field: dataclasses.Field[Any]) -> Any:
    members = getattr(field.type, "__args__", (field.type,))
    return next(member for member in members if member is not type(None))


def _help(field: dataclasses.Field[Any]) -> str:
    text = words_of(field)
    return text if field.default in (None, False) else f"{text} ({field.default})"


def _sentence(field: dataclasses.Field[Any]) -> str:
    text = words_of(field)
    return f"{text[0].upper()}{text[1:]}."


def words_of(field: dataclasses.Field[Any]) -> str:
    """An option's line of help, with the values that it may have."""
    rules = field.metadata
    return rules["help"] + (f": {listed(rules)}" if rules["choices"] else "")
