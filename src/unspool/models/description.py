"""Describe models in JSON, for config.json, and rebuild them."""

from decimal import Decimal
from typing import Any

import jax

from ..cells import CELLS, Cell, CreateCell, cell_class, cell_name, is_own, is_same_cell
from ..errors import RunError
from ..kernels import backend_of, one_by_one
from ..limits import MAX_GLIMPSES, MAX_LAYERS, MAX_SIZE

MOST = {"num_layers": MAX_LAYERS, "glimpses": MAX_GLIMPSES}


def describe_model(model: Any) -> dict[str, Any]:
    """Return its kind and the arguments of its class's `create`; for a custom model without `kind`
    and `describe`, the name of its class.
    """
    if not hasattr(model, "describe"):
        return {"kind": type(model).__name__}
    return {"kind": model.kind, **model.describe()}


def backends(model: Any) -> tuple[str, ...]:
    """For each cell of a model, say what runs its time loop and why."""
    leaves = jax.tree.leaves(model, is_leaf=lambda node: isinstance(node, Cell))
    stepped = getattr(model, "stepped_cells", ())
    chosen = [
        one_by_one(leaf) if any(leaf is cell for cell in stepped) else backend_of(leaf)
        for leaf in leaves
        if isinstance(leaf, Cell)
    ]
    return tuple(f"{backend.name} ({backend.reason})" for backend in chosen)


def check_bounds(description: dict[str, Any]) -> None:
    """Raise RunError if a size is beyond that of any model, before memory is allocated for it."""
    for name, value in description.items():
        for number in value if isinstance(value, list) else [value]:
            most = MOST.get(name, MAX_SIZE)
            if isinstance(number, int) and abs(number) > most:
                got = f"{Decimal(number):.3g}"  # too large for a float
                raise RunError(
                    f"config.json is damaged: {name} must be at most {most:,}, got {got}"
                )


def build_model(
    model_class: Any, description: dict[str, Any], cell: str | CreateCell | None = None
) -> Any:
    """Create a model of the described shape: undo `describe_model`.

    A `cell` of your own must be given: what a description names is never imported. Raises
    RunError if the description is not one of this class, or of another cell.
    """
    check_bounds(description)
    arguments = dict(description)
    kind, saved = arguments.pop("kind", None), arguments.get("cell")
    if cell is None and is_own(saved) and kind == model_class.kind:
        raise unnamed_cell(saved)
    if kind != model_class.kind or not (cell is not None or saved in list(CELLS)):
        raise RunError(
            f"cannot rebuild a model of cell {saved!r} from config.json: "
            "pass a model of the same structure as load(run, model=...)"
        )
    if cell is not None:
        arguments["cell"] = cell = cell_class(cell) if isinstance(cell, str) else cell
        if isinstance(cell, type):
            _check_same_cell(saved, cell_name(cell))
    try:
        model = model_class.create(**arguments)
    except Exception as error:  # values of the wrong type may raise anything
        raise RunError(f"config.json is damaged: its model section is wrong: {error}") from error
    if cell is not None:
        _check_same_cell(saved, model.describe().get("cell", ""))
    return model


def unnamed_cell(name: Any) -> RunError:
    """The error of a run with a cell of your own that is not named again."""
    return RunError(
        f"the run was trained with {name}, a cell of your own, which a run does not import by "
        "itself",
        options={f"cell={name}": "add {}"},
    )


def _check_same_cell(saved: Any, found: str) -> None:
    if not is_same_cell(saved, found):
        raise RunError(f"the run was trained with the cell {saved}, not with {found}")
