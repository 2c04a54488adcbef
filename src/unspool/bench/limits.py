"""Measure the limits of this machine: products of matrices, and reading memory."""

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from .timing import Run

SIDE = 1536
SGEMM_FLOPS = 2 * SIDE**3


def sgemm() -> Run:
    """Return a run whose unit is XLA's float32 product of two 1536 x 1536 matrices."""
    a = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    product = jax.jit(jnp.matmul)

    def run(units: int) -> None:
        for _ in range(units):
            product(a, a).block_until_ready()

    return run


def read(size: int, threads: int) -> Run:
    """Return a run whose unit reads an array of `size` bytes once, in one part per thread.

    It takes NumPy's maximum of int32 over each part, which uses SIMD and releases Python's lock.
    Each thread reads its own part again and again, as a sampling kernel does: what fits into its
    cache comes from there.
    """
    parts = [np.ones(max(1, size // (4 * threads)), np.int32) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def run(units: int) -> None:
        repeated = [np.broadcast_to(part, (units, part.size)) for part in parts]  # no copies
        list(pool.map(lambda rows: np.maximum.reduce(rows, axis=1), repeated))

    return run
