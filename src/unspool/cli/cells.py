"""The flag --cell: a cell of your own is imported only if it is named here."""

import os
import sys
from typing import Annotated

import typer

from ..cells import is_own
from ..cells.names import OWN


def named_cell(value: str) -> str:
    """A cell's name. Naming one of your own lets it be imported from the current folder, too.

    The folder is looked in last, so that none of its files stands in for an installed module.
    """
    if is_own(value) and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    return value


CellOption = Annotated[
    str | None,
    typer.Option(
        "--cell",
        metavar=OWN,
        help="The cell of your own that the run was trained with: it is imported.",
        show_default=False,
        parser=named_cell,
    ),
]
