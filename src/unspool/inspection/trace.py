"""A traced text on disk: every state and gate at every token, in memory-mapped files."""

import os
import re
import shutil
import stat
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import files
from ..cells import CELLS, Cell, Quantity
from ..errors import ConfigError, RunError
from .passes import BLOCK, Block, trace_model

FORMAT_VERSION = 1
DESCRIPTION, TEXT = "trace.json", "text"
_OWN = re.compile(r"(text|tokens|first|last|layer\d+\..*)\.npy")
LEFT, RIGHT = 0.1, 0.9  # below LEFT a gate is shut, above RIGHT it is open


class Spans(NamedTuple):
    """A text as a model reads it: token ids, and the places of their first and last characters.

    `inputs` are those of `trace_model`: the ids (T,), or bags of ids (T, K).
    """

    text: str
    inputs: np.ndarray
    first: np.ndarray
    last: np.ndarray


class Trace:
    """A folder of .npy files, opened read-only and memory-mapped.

    `layers[l]["h"]` is a float32 array (T, H). `tokens` (T,) or (T, K) are the ids; token t covers
    the characters `first[t]` to `last[t]` of `text`. `saturation[l]["f"]` is a float64 array (2,
    H): the share of steps in which a unit's gate is left-saturated (below 0.1) and right-saturated
    (above 0.9; Karpathy et al. 2015). For quantities from -1 to 1 (g, n, and an RNN's h) the
    magnitude is used: left is near zero, right near either end.
    `quantities[l]["f"]` says what a quantity is, and its range.

        trace = Trace.record(run.model, Spans(text, *run.vocab.spans(text)))
        trace.layers[0]["c"][:, 7]
    """

    def __init__(self, path: Path) -> None:
        """Open what `record` wrote. Raises RunError if a file is missing or damaged."""
        self.path = Path(path)
        about = files.read_json(self.path / DESCRIPTION, RunError)
        try:
            if about["format_version"] != FORMAT_VERSION:
                raise RunError(f"{path} was written by another version of Unspool: trace again")
            read = self._read
            self.text = read(TEXT).tobytes().decode()
            self.tokens, self.first, self.last = map(read, ("tokens", "first", "last"))
            self.layers: list[dict[str, np.ndarray]] = [
                {name: read(f"layer{i}.{name}") for name in layer["quantities"]}
                for i, layer in enumerate(about["layers"])
            ]
            self.saturation: list[dict[str, np.ndarray]] = [
                {name: read(f"layer{i}.{name}.saturation") for name in layer["saturation"]}
                for i, layer in enumerate(about["layers"])
            ]
            self.quantities = [
                {name: _read_quantity(layer, name) for name in layer["quantities"]}
                for layer in about["layers"]
            ]
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise RunError(f"{path} is damaged: {error}") from error

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.tokens)

    @classmethod
    def record(
        cls,
        model: Any,
        spans: Spans,
        directory: Path | None = None,
        *,
        state: Any = None,
        quantities: Collection[str] | None = None,
        block: int = BLOCK,
        progress: Callable[[int], None] = lambda tokens: None,
    ) -> Self:
        """Trace a text into `directory`, or a temporary one that is removed with the object.

        `quantities` are those to keep (all by default), "cell" for `cell_quantity` alone;
        saturation is counted for all gates. `progress` is called with the tokens done after each
        block. Memory does not grow with the text.
        """
        target = _temporary() if directory is None else directory
        try:
            target.mkdir(parents=True, exist_ok=True)
            blocks = trace_model(model, spans.inputs, state=state, block=block)
            _write(target, spans, blocks, quantities, progress)
        except OSError as error:
            raise files.write_error(target, error) from error
        finally:
            if directory is None and not (target / DESCRIPTION).exists():
                shutil.rmtree(target, ignore_errors=True)
        trace = cls(target)
        if directory is None:
            weakref.finalize(trace, shutil.rmtree, target, ignore_errors=True)
        return trace

    def save(self, path: Path) -> None:
        """Write all arrays as an uncompressed .npz, file by file, without holding one in memory.

        Names: text (UTF-8 bytes), tokens, first, last, layer0.h, layer0.f.saturation, ...
        """
        with files.atomic_writer(path) as file, zipfile.ZipFile(file, "w") as archive:
            for one in sorted(self.path.glob("*.npy")):
                archive.write(one, one.name)

    def _read(self, name: str) -> np.ndarray:
        return np.load(self.path / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _temporary() -> Path:
    """Make a new folder; remove those of killed processes of ours."""
    root = Path(tempfile.gettempdir())
    for old in root.glob("unspool-trace-*-*"):
        number = old.name.split("-")[2]
        if number.isdecimal() and _is_abandoned(old, int(number)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"unspool-trace-{os.getpid()}-"))


def _is_abandoned(folder: Path, process: int) -> bool:
    """Say whether a folder is this user's and the process that made it has ended."""
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError, AttributeError):  # another user's, or Windows
        return False
    return False


def cell_quantity(layer: dict[str, Any]) -> str:
    """Return the quantity that stands for the units of a layer: c if there is one, otherwise h.

    An LSTM's c is what it remembers; h is what its output gate lets out of that.
    """
    return next((name for name in ("c", "h") if name in layer), next(iter(layer)))


def _write(
    target: Path,
    spans: Spans,
    blocks: Iterator[Block],
    quantities: Collection[str] | None,
    progress: Callable[[int], None],
) -> None:
    """Write all files of a trace; the description comes last and vouches for the others."""
    if not (target / DESCRIPTION).exists() and any(target.iterdir()):
        raise ConfigError(f"{target} must be empty or hold a trace: empty it or name another")
    (target / DESCRIPTION).unlink(missing_ok=True)
    for old in target.glob("*.npy"):
        if _OWN.fullmatch(old.name):
            old.unlink()
    text = np.frombuffer(spans.text.encode(), np.uint8)
    for name, values in zip((TEXT, "tokens", "first", "last"), (text, *spans[1:]), strict=True):
        np.save(target / f"{name}.npy", values)
    steps = 0
    layers: list[_LayerWriter] = []
    with ExitStack() as open_files:
        for block in blocks:
            if not layers:
                layers = [
                    _LayerWriter(
                        target / f"layer{i}", len(spans.inputs), one, cell, quantities, open_files
                    )
                    for i, (one, cell) in enumerate(zip(block.layers, block.cells, strict=True))
                ]
            for writer, layer in zip(layers, block.layers, strict=True):
                writer.write(layer)
            steps = block.start + len(next(iter(block.layers[0].values())))
            progress(steps)
    if steps != len(spans.inputs):
        raise ConfigError(f"a trace needs one step per token, got {steps} for {len(spans.inputs)}")
    about = {"format_version": FORMAT_VERSION, "layers": [one.finish(steps) for one in layers]}
    files.write_json(target / DESCRIPTION, about)


def _kept(layer: dict[str, np.ndarray], quantities: Collection[str] | None) -> list[str]:
    if quantities is None:
        return list(layer)
    if quantities == "cell":
        return [cell_quantity(layer)]
    for name in quantities:
        if name not in layer:
            raise ConfigError(f"quantity must be one of {', '.join(layer)}, got {name!r}")
    return list(quantities)


class _LayerWriter:
    """The files of one layer, and the counts of its gates."""

    def __init__(
        self,
        prefix: Path,
        steps: int,
        layer: dict[str, np.ndarray],
        cell: type[Cell],
        quantities: Collection[str] | None,
        open_files: ExitStack,
    ) -> None:
        self.prefix = prefix
        self.known = {name: cell.quantities().get(name, Quantity("")) for name in layer}
        self.files = {
            name: open_files.enter_context(self._path(name).open("wb"))
            for name in _kept(layer, quantities)
        }
        for name, file in self.files.items():
            shape = (steps, layer[name].shape[1])
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        gates = [name for name in cell.gate_names if name in layer] or ["h"]
        gates = [name for name in gates if self.known[name].is_bounded]
        self.counts = {name: np.zeros((2, layer[name].shape[1]), np.int64) for name in gates}

    def write(self, layer: dict[str, np.ndarray]) -> None:
        for name, file in self.files.items():
            file.write(np.ascontiguousarray(layer[name]).data)
        for name, counts in self.counts.items():
            counts += np.asarray(_saturated(layer[name], *self.known[name][1:]))

    def finish(self, steps: int) -> dict[str, Any]:
        """Write the saturation; return names and ranges for the description."""
        for name, counts in self.counts.items():
            np.save(self._path(f"{name}.saturation"), counts / steps)
        ranges = {name: _as_json(self.known[name]) for name in self.files}
        names = {"quantities": list(self.files), "saturation": list(self.counts)}
        return {**names, "ranges": ranges}

    def _path(self, name: str) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}.{name}.npy")


def _as_json(quantity: Quantity) -> list[Any]:
    ends = (quantity.low, quantity.high)
    return [quantity.meaning, *(end if isfinite(end) else None for end in ends)]


def _read_quantity(layer: dict[str, Any], name: str) -> Quantity:
    """What the description says; those that older traces have are of built-in cells."""
    if "ranges" not in layer:
        built_in = {k: v for cell in CELLS.values() for k, v in cell.quantities().items()}
        return built_in.get(name, Quantity(""))
    meaning, low, high = layer["ranges"][name]
    return Quantity(
        str(meaning), -inf if low is None else float(low), inf if high is None else float(high)
    )


@partial(jax.jit, static_argnums=(1, 2))
def _saturated(values: Any, low: float, high: float) -> Array:
    """Count the steps in which a unit is saturated on the left and on the right, (2, H). In NumPy
    this would take longer than the model's steps.
    """
    values = jnp.abs(values) / high if low < 0 else (values - low) / (high - low)
    return jnp.stack([jnp.sum(values < LEFT, axis=0), jnp.sum(values > RIGHT, axis=0)])
