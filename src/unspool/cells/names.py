"""Cells by name: "lstm", or "package.module:Class" for one of your own."""

import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from inspect import signature
from operator import attrgetter
from pathlib import Path
from typing import Any

from jaxtyping import PRNGKeyArray

from ..errors import ConfigError
from .base import Cell
from .gru import GRU
from .lstm import LSTM
from .vanilla import RNN

CreateCell = Callable[..., Cell]  # (input_size, hidden_size, *, key) -> Cell

CELLS: dict[str, type[Cell]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
OWN = "package.module:Class"  # the form of other names
_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
OWN_PATTERN = f"{_DOTTED}:{_DOTTED}"


def cell_factory(cell: str | CreateCell) -> CreateCell:
    """Return the function `(input_size, hidden_size, *, layer_norm=False, key) -> Cell` of a cell.

    `cell` is the name of a cell, a class with `create`, or a function `(input_size, hidden_size, *,
    key) -> Cell`, which may take `layer_norm` too. Naming a cell of your own imports its module.
    Raises ConfigError if there is no such cell, and the function raises it for a cell of another
    size or without the layer norm that is asked for.
    """
    if isinstance(cell, str):
        cell = cell_class(cell)
    if isinstance(cell, type) and issubclass(cell, Cell):
        cell = cell.create
    if isinstance(cell, type) or not callable(cell):
        raise ConfigError(f"cell must be a name, a class of cells or a function, got {cell!r}")
    return partial(_create, cell)


def _create(
    create: CreateCell,
    input_size: int,
    hidden_size: int,
    *,
    layer_norm: bool = False,
    key: PRNGKeyArray,
) -> Cell:
    takes = signature(create).parameters.values()
    knows = any(p.name == "layer_norm" or p.kind is p.VAR_KEYWORD for p in takes)
    options = {"layer_norm": layer_norm} if knows else {}
    made = create(input_size, hidden_size, **options, key=key)
    if not isinstance(made, Cell):
        raise ConfigError(f"cell must make a Cell, got {made!r}")
    if made.hidden_size != hidden_size:
        raise ConfigError(
            f"cell must have the hidden_size {hidden_size} that it is asked for, "
            f"got {made.hidden_size} of {cell_name(made)}"
        )
    if layer_norm and not made.has_layer_norm:
        raise ConfigError(f"layer_norm does not go with {cell_name(made)}, which has none")
    return made


def cell_class(name: str) -> type[Cell]:
    """Return the class of a name, importing its module if it is one of your own.

    Raises ConfigError if there is none.
    """
    if name in CELLS:
        return CELLS[name]
    if not is_own(name):
        raise ConfigError(f"cell must be one of {', '.join(CELLS)} or {OWN}, got {name!r}")
    module, _, path = name.partition(":")
    try:
        found = attrgetter(path)(import_module(module))
    except Exception as error:  # the module is the user's: importing it may raise anything
        raise ConfigError(
            f"cell must name a class that can be imported, got {name!r}: {_said(error)}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Cell)):
        raise ConfigError(f"cell must name a subclass of unspool.Cell, got {name!r}")
    return found


def cell_name(cell: Cell | type[Cell]) -> str:
    """Return what `cell_class` knows a cell or its class by."""
    found = cell if isinstance(cell, type) else type(cell)
    for name, built_in in CELLS.items():
        if found is built_in:
            return name
    return f"{_module_of(found)}:{found.__qualname__}"


def own_cells(names: Iterable[str]) -> dict[str, type[Cell]]:
    """Import the cells of your own among these names; by the names that their runs know them by.

    Raises ConfigError if there is no such cell.
    """
    found = [cell_class(name) for name in names if name not in CELLS]
    return {cell_name(cell): cell for cell in found}


def is_own(name: Any) -> bool:
    """Tell whether a name is that of a cell of your own."""
    return isinstance(name, str) and re.fullmatch(OWN_PATTERN, name) is not None


def is_same_cell(saved: Any, name: str) -> bool:
    """Tell whether a run's config.json names this cell; older runs say "own: Class"."""
    return saved == name or saved == f"own: {name.rpartition(':')[2]}"


def label(name: str) -> str:
    """Return a cell's name as it is shown: LSTM, or the name of the class."""
    return name.upper() if name in CELLS else name.rpartition(":")[2]


def _module_of(found: type) -> str:
    """The module of a class; of a script that runs, the name that it can be imported by."""
    if found.__module__ != "__main__":
        return found.__module__
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return spec.name
    return "__main__" if file is None else Path(file).stem


def _said(error: Exception) -> str:
    known = isinstance(error, ImportError | AttributeError)
    return str(error) if known else f"{type(error).__name__}: {error}"
