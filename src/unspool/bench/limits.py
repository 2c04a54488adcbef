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


def reads(size: int, threads: int) -> dict[str, Run]:
    """A unit reads an array of `size` bytes once, on all cores; the fastest way is the limit.

    Both compute x . x, which reads every element once: NumPy's BLAS, one thread for each
    part, many reads a call; and XLA's sum over rows. Each thread reads the same part every
    time, as a kernel of sampling does, so what fits in its cache is read from there.
    """
    return {"read (BLAS)": _blas_reads(size, threads), "read (XLA)": _xla_reads(size, threads)}


def _blas_reads(size: int, threads: int) -> Run:
    # Below 10,000 elements OpenBLAS starts no threads of its own.
    block = 8192
    parts = [
        np.ones((max(1, size // (4 * threads * block)), block), np.float32) for _ in range(threads)
    ]
    read = sum(part.nbytes for part in parts)
    pool = ThreadPoolExecutor(threads)

    def repeat(part: np.ndarray, times: int) -> None:
        for _ in range(times):
            for row in part:
                row.dot(row)

    def run(units: int) -> None:
        times = max(1, round(units * size / read))
        list(pool.map(repeat, parts, [times] * threads))

    return run


def _xla_reads(size: int, threads: int) -> Run:
    x = jnp.ones((threads * 8, size // (threads * 32)))
    total = jax.jit(lambda x: jnp.sum(x, axis=1))

    def run(units: int) -> None:
        for _ in range(units):
            total(x).block_until_ready()

    return run
