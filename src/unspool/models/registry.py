"""Models to JSON and back: what config.json says of a model."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jax

from ..cells import CELLS, Cell, cell_name
from ..errors import RunError
from ..kernels import backend_of, one_by_one
from ..limits import MAX_GLIMPSES, MAX_LAYERS, MAX_SIZE
from .attention import Additive
from .captioner import Captioner
from .classifier import Classifier
from .generator import Generator
from .glimpse import GlimpseClassifier
from .language import LanguageModel
from .tagger import Tagger
from .translator import Translator

DESCRIBED: dict[str, Any] = {
    "classifier": Classifier,
    "tagger": Tagger,
    "glimpse": GlimpseClassifier,
    "translator": Translator,
    "captioner": Captioner,
}
BUILDERS: dict[Any, Callable[..., Any]] = {
    **{kind: model_class.create for kind, model_class in DESCRIBED.items()},
    "generator": Generator.create,
    "language": lambda vocab_size, **options: LanguageModel.create(vocab_size, **options),
}

MOST = {"num_layers": MAX_LAYERS, "glimpses": MAX_GLIMPSES}


def describe_model(model: Any) -> dict[str, Any]:
    """The arguments that `build_model` needs; for a cell of the user's own, its name."""
    for kind, model_class in DESCRIBED.items():
        if isinstance(model, model_class):
            return {"kind": kind, **model.describe()}
    if isinstance(model, Generator):
        described = _describe_language(model.decoder)
        return {"kind": "generator", "classes": model.classes, **described}
    if isinstance(model, LanguageModel):
        return {"kind": "language", **_describe_language(model)}
    return {"kind": type(model).__name__}


def _describe_language(model: LanguageModel) -> dict[str, Any]:
    cell = model.stack.cells[0]
    return {
        "cell": cell_name(cell),
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
    """For each cell of a model, what runs its time loop and why."""
    leaves = jax.tree.leaves(model, is_leaf=lambda node: isinstance(node, Cell))
    stepped = _stepped(model)
    chosen = [
        one_by_one(leaf) if any(leaf is cell for cell in stepped) else backend_of(leaf)
        for leaf in leaves
        if isinstance(leaf, Cell)
    ]
    return tuple(f"{backend.name} ({backend.reason})" for backend in chosen)


def _stepped(model: Any) -> tuple[Cell, ...]:
    """The cells whose next input depends on their state."""
    if isinstance(model, GlimpseClassifier):
        return (model.core,)
    if isinstance(model, Translator | Captioner) and isinstance(model.decoder.attention, Additive):
        return model.decoder.cells
    return ()


def check_bounds(description: dict[str, Any]) -> None:
    """Raise RunError for sizes that no model has, before any memory is taken for them."""
    for name, value in description.items():
        for number in value if isinstance(value, list) else [value]:
            most = MOST.get(name, MAX_SIZE)
            if isinstance(number, int) and abs(number) > most:
                got = f"{Decimal(number):.3g}"  # which floats cannot hold
                raise RunError(
                    f"config.json is damaged: {name} must be at most {most:,}, got {got}"
                )


def build_model(description: dict[str, Any]) -> Any:
    """A model of the described shape with freshly drawn weights.

    Raises RunError where the description is not one of ours.
    """
    check_bounds(description)
    arguments = dict(description)
    kind = arguments.pop("kind", None)
    if kind not in BUILDERS or arguments.get("cell") not in list(CELLS):
        raise RunError(
            f"cannot rebuild a model of cell {description.get('cell')!r} from config.json: "
            "give load(run, model=...) a model of the same structure"
        )
    try:
        return BUILDERS[kind](**arguments)
    except Exception as error:  # values of other types may raise anything at all
        raise RunError(f"config.json is damaged: its model section is wrong: {error}") from error
