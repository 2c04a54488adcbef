"""Where compiled programs are kept: compiling them is most of what tests do.

What one test compiles serves the others, in every worker, the processes that tests start, and the
next run. A program's name there is a hash of its text, of the compiler's version and flags, and of
the processor's features.
"""

import os
import shutil
from pathlib import Path

import jax

PROGRAMS = Path(__file__).parents[1] / "build" / "test-programs"
MOST = 30_000
SETTINGS = {
    "jax_compilation_cache_dir": str(PROGRAMS),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
    "jax_persistent_cache_enable_xla_caches": "none",  # else the directory is part of the name
}


def make_room() -> None:
    """Begin anew where there are too many programs, of versions long gone."""
    if PROGRAMS.exists() and len(os.listdir(PROGRAMS)) > MOST:
        shutil.rmtree(PROGRAMS, ignore_errors=True)
    PROGRAMS.mkdir(parents=True, exist_ok=True)


def keep_programs() -> None:
    """Keep what is compiled from now on, here and in processes that are started from here."""
    for name, value in SETTINGS.items():
        os.environ[name.upper()] = str(value)
        jax.config.update(name, value)
