"""Keep freed memory in the process: a training step frees memory and allocates the same again.

By default glibc returns large blocks to the kernel as soon as they are freed and gets them back,
page by page, zeroed, in the next step: 15,000 to 110,000 page faults per step, a tenth to a quarter
of its time (docs/lab-log.md). It also serves each thread from a heap of at most 64 MiB. This module
sets one heap for all threads, blocks from it whatever their size, and up to 2 GiB of free memory at
its top.
"""

import ctypes
import os
import sys

DISABLE = "UNSPOOL_MALLOC"  # set to 0 to leave the allocator as it is
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h
LARGEST = 2**31 - 1  # the largest int, in bytes


def keep_freed_memory() -> bool:
    """Set these parameters of glibc's allocator; return whether that was done.

    They reach XLA's threads only if set before these start, so importing unspool does it. Not done
    with another C library, if UNSPOOL_MALLOC=0 is set, or if the environment already tunes the
    allocator.
    """
    tuned = any(name.startswith("MALLOC_") for name in os.environ) or (
        "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    )
    if not sys.platform.startswith("linux") or tuned or os.environ.get(DISABLE) == "0":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, LARGEST), (M_MMAP_THRESHOLD, LARGEST))
    return all(mallopt(name, value) == 1 for name, value in settings)
