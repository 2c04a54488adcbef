"""Compare Unspool with other libraries and the limits of the machine, in one process.

The contestants take turns, so that a slow moment of the machine affects them all. Each is one file,
written as its users would write it; all use the same batches and threads.
"""

from .rounds import check, missing, results

__all__ = ["check", "missing", "results"]
