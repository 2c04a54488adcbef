"""Find and load the native library (native/), and call its kernels from compiled programs.

It is built when Unspool is installed on a machine with a C++ compiler.
"""

import ctypes
import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

LIBRARY = "libunspool_native.so"
DISABLE = "UNSPOOL_NATIVE"  # set to 0 to run without the library

_most_threads: ContextVar[int] = ContextVar("most_threads", default=1 << 30)


@cache
def why_not() -> str | None:
    """Say why the native kernels cannot be used; None: load and register them, once."""
    if os.environ.get(DISABLE) == "0":
        return f"{DISABLE}=0 is set"
    if find_library() is None:
        return "the native library was not built: no C++ compiler at installation"
    try:
        library = _open()
        for name in library.unspool_handlers().decode().split():
            entry = getattr(library, f"unspool_ffi_{name}")
            handler = jax.ffi.pycapsule(entry)  # type: ignore[no-untyped-call]
            jax.ffi.register_ffi_target(f"unspool_{name}", handler, platform="cpu")
    except (OSError, AttributeError) as error:
        return f"the native library could not be loaded: {error}"
    return None


def find_library() -> Path | None:
    """Find the library next to this package, or in site-packages for an editable installation."""
    folders = (Path(__file__).parent, Path(sysconfig.get_path("platlib")) / "unspool")
    return next((folder / LIBRARY for folder in folders if (folder / LIBRARY).exists()), None)


def instruction_set() -> str:
    """Return the instruction set that the kernels use on this processor."""
    return str(_open().unspool_isa().decode())


def panel_units(gates: int) -> int:
    """Return how many units have their gates together in the sampling kernel's packed weights."""
    return int(_open().unspool_panel_units(gates))


@cache
def _open() -> ctypes.CDLL:
    path = find_library()
    assert path is not None  # `why_not` is asked first
    library = ctypes.CDLL(str(path))
    for name in ("unspool_handlers", "unspool_isa"):
        getattr(library, name).restype = ctypes.c_char_p
    return library


@contextmanager
def limited_threads(most: int) -> Iterator[None]:
    """Limit the threads of kernels in programs that are traced inside this context."""
    token = _most_threads.set(most)
    try:
        yield
    finally:
        _most_threads.reset(token)


def threads() -> int:
    """Return the number of processors that this process may use, or the `limited_threads`."""
    return min(_processors(), _most_threads.get())


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def call(name: str, results: tuple[Any, ...], *arguments: Any, reuse: Any = None) -> Any:
    """Call a kernel; `reuse` maps an argument that XLA may overwrite to a result's place."""
    kernel = jax.ffi.ffi_call(
        f"unspool_{name}", results, input_output_aliases=reuse, vmap_method="sequential"
    )
    return kernel(*arguments, threads=threads())


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    """Describe a float32 result."""
    return jax.ShapeDtypeStruct(sizes, jnp.float32)  # type: ignore[no-untyped-call]


def applies_to(*arrays: Any) -> bool:
    """Say whether a kernel can take these arrays: float32, on the CPU, with the library."""
    return (
        all(array.dtype == jnp.float32 for array in arrays)
        and jax.default_backend() == "cpu"
        and why_not() is None
    )
