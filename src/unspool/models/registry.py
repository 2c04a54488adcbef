"""Models to JSON and back: what config.json says of a model."""

from typing import Any

from ..cells import CELLS
from ..errors import RunError
from ..kernels import backend_of
from .language import LanguageModel


def describe_model(model: Any) -> dict[str, Any]:
    """The arguments that `build_model` needs; for a cell of the user's own, its name."""
    if not isinstance(model, LanguageModel):
        return {"kind": type(model).__name__}
    cell = model.stack.cells[0]
    names = {kind: name for name, kind in CELLS.items()}
    return {
        "kind": "language",
        "cell": names.get(type(cell), f"own: {type(cell).__name__}"),
        "vocab_size": model.vocab_size,
        "hidden_size": cell.hidden_size,
        "num_layers": len(model.stack.cells),
        "embedding_size": None if model.embedding is None else model.embedding.shape[1],
        "tied": model.w_out is None,
        "layer_norm": getattr(cell, "norm", None) is not None,
        "dropout": model.stack.dropout,
        "dropout_embedding": model.dropout_embedding,
        "weight_drop": model.stack.weight_drop,
    }


def backends(model: Any) -> tuple[str, ...]:
    """For each layer of a language model, what runs its time loop and why."""
    if not isinstance(model, LanguageModel):
        return ()
    chosen = [backend_of(cell) for cell in model.stack.cells]
    return tuple(f"{backend.name} ({backend.reason})" for backend in chosen)


def build_model(description: dict[str, Any]) -> LanguageModel:
    """A model of the described shape with freshly drawn weights.

    Raises RunError where the description is not one of ours.
    """
    arguments = dict(description)
    if arguments.pop("kind", None) != "language" or arguments.get("cell") not in list(CELLS):
        raise RunError(
            f"cannot rebuild a model of cell {description.get('cell')!r} from config.json: "
            "give load(run, model=...) a model of the same structure"
        )
    try:
        return LanguageModel.create(arguments.pop("vocab_size"), **arguments)
    except (KeyError, TypeError) as error:
        raise RunError(f"config.json is damaged: its model section is wrong: {error}") from error
