"""Command-line options made from option dataclasses: one declaration for flags and TOML keys."""

import dataclasses
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..options import Options
from ..training.config import TrainingConfig


def file(value: str | Path) -> str:
    """The name of a file, folder or source, with ~ for home; an empty one is no name.

    An unset variable (`--run "$RUN"`) would otherwise mean the current folder.
    """
    value = os.fspath(value)  # of a default
    if not value:
        raise typer.BadParameter("must name a file or folder, got an empty string")
    if "\0" in value:  # from a TOML file: arguments cannot have it
        raise typer.BadParameter("must name a file or folder, got a name with a NUL character")
    return os.path.expanduser(value)


def path(value: str | Path) -> Path:
    """The same as a path."""
    return Path(file(value))


def output(value: str | Path) -> Path:
    """The path of a file to write, looked at before any work: it is replaced when it is written,
    which must not happen to a device, as /dev/stdout is one.
    """
    target = path(value)
    if not target.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {target.parent} to write {target} into")
    if target.exists() and not target.is_file():
        raise typer.BadParameter(f"{target} is a folder, pipe or device: name a file")
    return target


RunArgument = Annotated[
    Path, typer.Argument(help="A run directory.", show_default=False, parser=path)
]

LENGTH_PENALTY_FORMS = "power: scores / tokens^p; gnmt: / ((5 + tokens) / 6)^p."
LengthPenaltyForm = Annotated[str, typer.Option(help=LENGTH_PENALTY_FORMS)]


def with_options(options: type[Options]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag for each field of `options`; it receives those given on the
    command line as its keyword argument `given`, a dict.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "given"]
        names = [field.name for field in dataclasses.fields(options)]

        def wrapper(**values: Any) -> None:
            given = {name: values.pop(name) for name in names}
            command(**values, given={k: v for k, v in given.items() if v is not None})

        flags = [_flag(field) for field in sorted(dataclasses.fields(options), key=_panel)]
        wrapper.__signature__ = inspect.Signature(own + flags)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in own + flags}
        wrapper.__doc__ = command.__doc__
        wrapper.options = options  # type: ignore[attr-defined]
        return wrapper

    return decorate


def _flag(field: dataclasses.Field[Any]) -> inspect.Parameter:
    flag = "--" + field.name.replace("_", "-")
    kind = _type(field)
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        help=_help(field),
        rich_help_panel=_panel(field),
        show_default=False,
        parser=file if field.metadata["is_file"] else None,
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[Optional[kind], option],  # noqa: UP045 (a run-time type)
    )


def _type(field: dataclasses.Field[Any]) -> Any:
    members = getattr(field.type, "__args__", (field.type,))
    return next(member for member in members if member is not type(None))


def _help(field: dataclasses.Field[Any]) -> str:
    choices = field.metadata["choices"]
    text = field.metadata["help"] + (f": {', '.join(choices)}" if choices else "")
    return text if field.default in (None, False) else f"{text} ({field.default})"


def _panel(field: dataclasses.Field[Any]) -> str:
    training = {f.name for f in dataclasses.fields(TrainingConfig)}
    return "Training" if field.name in training else "Model and data"
