"""Time loops in C++ (native/), called by XLA inside compiled programs on the CPU.

The library is built when Unspool is installed on a machine with a C++ compiler. From step
`lengths[b]` on, row b keeps its state, and its outputs, stored gates and gradients are zero.
"""

import ctypes
import os
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..cells.gru import GRUState
from ..cells.lstm import LSTMState
from ..cells.vanilla import RNNState
from .program import Program, Weights

LIBRARY = "libunspool_native.so"
DISABLE = "UNSPOOL_NATIVE"  # set to 0 to run without the library

_HANDLERS = (
    "rnn_forward", "rnn_backward",
    "lstm_forward", "lstm_inference", "lstm_backward",
    "gru_forward", "gru_inference", "gru_backward",
    "weight_gradient", "generate",
)  # fmt: skip


@cache
def why_not() -> str | None:
    """Why the native kernels cannot be used, or None: loads and registers them once."""
    if os.environ.get(DISABLE) == "0":
        return f"{DISABLE}=0 is set"
    path = find_library()
    if path is None:
        return "the native library was not built: no C++ compiler at installation"
    try:
        library = ctypes.CDLL(str(path))
        for name in _HANDLERS:
            entry = getattr(library, f"unspool_ffi_{name}")
            handler = jax.ffi.pycapsule(entry)  # type: ignore[no-untyped-call]
            jax.ffi.register_ffi_target(f"unspool_{name}", handler, platform="cpu")
    except (OSError, AttributeError) as error:
        return f"the native library could not be loaded: {error}"
    return None


def find_library() -> Path | None:
    """The library beside this package, or in site-packages for an editable installation."""
    folders = (Path(__file__).parents[1], Path(sysconfig.get_path("platlib")) / "unspool")
    return next((folder / LIBRARY for folder in folders if (folder / LIBRARY).exists()), None)


def instruction_set() -> str:
    """The instruction set that the kernels run with on this processor."""
    path = find_library()
    assert path is not None  # `why_not` is asked first
    name = ctypes.CDLL(str(path)).unspool_isa
    name.restype = ctypes.c_char_p
    return str(name().decode())


def threads() -> int:
    """The number of processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _call(name: str, results: tuple[Any, ...], *arguments: Any, reuse: Any = None) -> Any:
    """Call a kernel; `reuse` maps an argument that XLA may overwrite to a result's place."""
    call = jax.ffi.ffi_call(
        f"unspool_{name}", results, input_output_aliases=reuse, vmap_method="sequential"
    )
    return call(*arguments, threads=threads())


def _shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, jnp.float32)  # type: ignore[no-untyped-call]


def _lengths(lengths: Array | None, projected: Array) -> Array:
    steps, batch, _ = projected.shape
    return jnp.full(batch, steps, jnp.int32) if lengths is None else lengths.astype(jnp.int32)


def _shapes(sequence: Array, state: Array) -> tuple[Any, Any, Any]:
    """Of (T, B, H), (B, H) and (T, B, P)."""
    steps, batch, columns = sequence.shape
    hidden = state.shape[-1]
    return _shape(steps, batch, hidden), _shape(batch, hidden), _shape(steps, batch, columns)


def _weight_gradient(d_recurrent: Array, h0: Array, hs: Array) -> Array:
    result = _shape(d_recurrent.shape[-1], hs.shape[-1])
    return _call("weight_gradient", (result,), d_recurrent, hs, h0)[0]


def _rnn_forward(projected: Array, weights: Weights, state: RNNState, lengths: Any) -> Any:
    hs, last = _rnn_outputs(projected, weights, state, lengths)
    return hs, last, None


def _rnn_outputs(projected: Array, weights: Weights, state: RNNState, lengths: Any) -> Any:
    sequence, last, _ = _shapes(projected, state.h)
    arguments = (projected, weights.w_hh, state.h, _lengths(lengths, projected))
    hs, h = _call("rnn_forward", (sequence, last), *arguments, reuse={0: 0})
    return hs, RNNState(h)


def _rnn_backward(
    stored: None, hs: Array, weights: Weights, state: RNNState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    sequence, last, _ = _shapes(hs, state.h)
    arguments = (hs, weights.w_hh, _lengths(lengths, hs), d_hs, d_last.h)
    da, dh = _call("rnn_backward", (sequence, last), *arguments, reuse={3: 0})
    return da, Weights(_weight_gradient(da, state.h, hs)), RNNState(dh)


def _lstm_outputs(projected: Array, weights: Weights, state: LSTMState, lengths: Any) -> Any:
    sequence, last, _ = _shapes(projected, state.h)
    arguments = (projected, weights.w_hh, *state, _lengths(lengths, projected))
    hs, h, c = _call("lstm_inference", (sequence, last, last), *arguments)
    return hs, LSTMState(h, c)


def _lstm_forward(projected: Array, weights: Weights, state: LSTMState, lengths: Any) -> Any:
    sequence, last, gates = _shapes(projected, state.h)
    arguments = (projected, weights.w_hh, *state, _lengths(lengths, projected))
    results = (sequence, sequence, gates, last, last)
    hs, cs, gates, h, c = _call("lstm_forward", results, *arguments, reuse={0: 2})
    return hs, LSTMState(h, c), (gates, cs)


def _lstm_backward(
    stored: Any, hs: Array, weights: Weights, state: LSTMState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    gates, cs = stored
    _, last, projected = _shapes(gates, state.h)
    arguments = (gates, cs, state.c, weights.w_hh, _lengths(lengths, gates), d_hs, *d_last)
    da, dh, dc = _call("lstm_backward", (projected, last, last), *arguments, reuse={0: 0})
    return da, Weights(_weight_gradient(da, state.h, hs)), LSTMState(dh, dc)


def _gru_outputs(projected: Array, weights: Weights, state: GRUState, lengths: Any) -> Any:
    sequence, last, _ = _shapes(projected, state.h)
    arguments = (projected, *weights, state.h, _lengths(lengths, projected))
    hs, h = _call("gru_inference", (sequence, last), *arguments)
    return hs, GRUState(h)


def _gru_forward(projected: Array, weights: Weights, state: GRUState, lengths: Any) -> Any:
    sequence, last, gates = _shapes(projected, state.h)
    arguments = (projected, *weights, state.h, _lengths(lengths, projected))
    results = (sequence, gates, sequence, last)
    hs, gates, hn, h = _call("gru_forward", results, *arguments, reuse={0: 1})
    return hs, GRUState(h), (gates, hn)


def _gru_backward(
    stored: Any, hs: Array, weights: Weights, state: GRUState, lengths: Any, d_hs: Any, d_last: Any
) -> Any:
    gates, hn = stored
    _, last, projected = _shapes(gates, state.h)
    arguments = (gates, hn, hs, state.h, weights.w_hh, _lengths(lengths, gates), d_hs, d_last.h)
    results = (projected, projected, last, last)
    d_projected, d_recurrent, d_b_hn, dh = _call("gru_backward", results, *arguments, reuse={0: 0})
    d_weights = Weights(_weight_gradient(d_recurrent, state.h, hs), d_b_hn.sum(0))
    return d_projected, d_weights, GRUState(dh)


RNN_NATIVE = Program(_rnn_outputs, _rnn_forward, _rnn_backward)
LSTM_NATIVE = Program(_lstm_outputs, _lstm_forward, _lstm_backward)
GRU_NATIVE = Program(_gru_outputs, _gru_forward, _gru_backward)
