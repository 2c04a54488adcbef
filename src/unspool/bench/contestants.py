"""Libraries compared, and which are missing."""

import contextlib
import importlib
import io
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ..data import Size, Text, build_vocabulary
from ..tasks.text.task import LanguageTask
from . import ours
from .timing import Run
from .workloads import BYTES, VOCABULARY, Workload


class Peer(NamedTuple):
    """A module of this package, and the packages it needs."""

    name: str
    module: str
    needs: tuple[str, ...]


TRAINING_PEERS = (
    Peer("torch", "torch_peer", ("torch",)),
    Peer("flax", "flax_peer", ("flax",)),
    Peer("keras", "keras_peer", ("keras",)),
)
SAMPLING_PEERS = (
    Peer("torch", "torch_peer", ("torch",)),
    Peer("onnxruntime", "onnx_peer", ("onnx", "onnxruntime")),
)

Start = Callable[[], Run]


def missing(peers: Iterable[Peer]) -> list[str]:
    """Return a line for each peer that is not installed, with the remedy."""
    return [
        f"{peer.name}: left out, {' and '.join(lacking)} cannot be imported; "
        "pip install 'unspool[peers]'"
        for peer in peers
        if (lacking := [name for name in peer.needs if not _is_there(name)])
    ]


def _is_there(module: str) -> bool:
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            importlib.import_module(_ENTRY.get(module, module))
        except ImportError:
            return False
    return True


_ENTRY = {"keras": "unspool.bench.keras_peer"}  # sets the backend before importing Keras


def trainers(workload: Workload, threads: int) -> dict[str, Start]:
    """Return how to start each contestant of training, ours first."""
    model, task = workload.model(), synthetic_task(workload)
    starts: dict[str, Start] = {"unspool": lambda: ours.training(model, task)}
    for peer in TRAINING_PEERS:
        if _has(peer, workload.cell):
            starts[peer.name] = lambda peer=peer: _module(peer).training(
                workload, model, task, threads
            )
    return starts


def samplers(workload: Workload, threads: int) -> dict[str, Start]:
    """Return how to start each contestant of sampling, ours first, with each type of weights."""
    model = workload.model()
    starts: dict[str, Start] = {
        our_name(weights): lambda weights=weights: ours.sampling(model, weights)
        for weights in BYTES
    }
    for peer in SAMPLING_PEERS:
        if _has(peer, workload.cell):
            starts[peer.name] = lambda peer=peer: _module(peer).sampling(workload, model, threads)
    return starts


def our_name(weights: str) -> str:
    """Name ours by its weights; float32 is just Unspool."""
    return "unspool" if weights == "float32" else f"unspool {weights}"


def _has(peer: Peer, cell: str) -> bool:
    """Whether a peer is installed and has the cell."""
    return all(map(_is_there, peer.needs)) and cell in _module(peer).CELLS


def _module(peer: Peer) -> Any:
    return importlib.import_module(f".{peer.module}", __package__)


def synthetic_task(workload: Workload) -> LanguageTask:
    """Make a task of language modelling on uniform random tokens, the same for all contestants."""
    characters = "".join(chr(ord("!") + i) for i in range(VOCABULARY))
    ids = np.random.default_rng(0).integers(
        0, VOCABULARY, 32 * workload.batch * workload.steps + 1, dtype=np.uint8
    )
    nothing = Size(len(ids), len(ids))
    text = Text(
        build_vocabulary("char", [characters]), ids, ids[:2], ("synthetic",), "", (), nothing,
        nothing,
    )  # fmt: skip
    return LanguageTask(text, batch=workload.batch, steps_per_chunk=workload.steps)
