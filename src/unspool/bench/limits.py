"""What this machine can do at most: products of matrices, and reading memory."""

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from .timing import Run

SIDE = 1536
SGEMM_FLOPS = 2 * SIDE**3


def sgemm() -> Run:
    """A unit is XLA's float32 product of two matrices of 1536 x 1536."""
    a = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    product = jax.jit(jnp.matmul)

    def run(units: int) -> None:
        for _ in range(units):
            product(a, a).block_until_ready()

    return run


def read(size: int, threads: int) -> Run:
    """A unit reads an array of `size` bytes once, in as many parts as there are threads.

    It is NumPy's largest int32 of each part, which uses SIMD and lets go of Python's lock.
    Each thread reads its own part time after time, as a kernel of sampling does: what fits
    into its cache comes from there.
    """
    parts = [np.ones(max(1, size // (4 * threads)), np.int32) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def run(units: int) -> None:
        repeated = [np.broadcast_to(part, (units, part.size)) for part in parts]  # no copies
        list(pool.map(lambda rows: np.maximum.reduce(rows, axis=1), repeated))

    return run
