"""`unspool info`."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import jax
import typer

from .._version import __version__
from ..cells import CELLS, cell_factory
from ..kernels import backend_of
from ..models.description import backends
from ..tasks.registry import load
from . import console
from .cells import CellOption
from .options import path

LIBRARIES = ("jax", "jaxlib", "equinox", "optax", "numpy", "safetensors", "tokenizers")


def info(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run directory.", show_default=False, parser=path),
    ] = None,
    cell: CellOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show versions, devices and backends; for a run, its configuration and best loss."""
    facts = _machine() if run is None else _run(run, cell)
    if as_json:
        console.print_json(facts)
        return
    for key, value in facts.items():
        _print(key, value)


def _machine() -> dict[str, Any]:
    return {
        "unspool": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "devices": [f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices()],
        "backends": {
            f"{name}{', layer norm' if norm else ''}": _backend(name, norm)
            for name in CELLS
            for norm in (False, True)
        },
    }


def _backend(cell: str, layer_norm: bool) -> str:
    chosen = backend_of(cell_factory(cell)(1, 1, layer_norm=layer_norm, key=jax.random.key(0)))
    return f"{chosen.name} ({chosen.reason})"


def _run(path: Path, cell: str | None) -> dict[str, Any]:
    run = load(path, cell=cell)
    return {
        "run": str(path),
        "step": run.step,
        "best_val_loss_nats": run.val_loss_nats,
        **({"best_val_metrics": run.val_metrics} if run.val_metrics else {}),
        "best_by": run.best_by,
        "parameters": sum(
            leaf.size for leaf in jax.tree.leaves(run.model) if hasattr(leaf, "size")
        ),
        "backends": list(backends(run.model)),
        **{key: run.config[key] for key in ("model", "task", "training", "unspool")},
    }


def _print(key: str, value: Any, indent: str = "") -> None:
    if isinstance(value, dict):
        print(f"{indent}{console.visible(key)}:")
        for name, item in value.items():
            _print(name, item, indent + "  ")
    elif isinstance(value, list):
        print(console.shown(f"{indent}{key}: {', '.join(map(str, value))}"))
    else:
        print(console.shown(f"{indent}{key}: {value}"))
