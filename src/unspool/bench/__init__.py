"""Unspool beside other libraries and the limits of the machine, in one process.

The contestants take turns, so that a slow moment of the machine meets them all alike. Each
is one file, written as its users write it; all work with the same batches and threads.
"""

from .rounds import check, missing, results

__all__ = ["check", "missing", "results"]
