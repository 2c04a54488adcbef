"""Fixtures that every test may use."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from hypothesis import settings

# How long an example takes says more of the machine's load than of the code.
settings.register_profile("unspool", deadline=None)
settings.load_profile("unspool")

# What is compiled once serves the other workers, the processes that tests start, and the next run:
# compiling is most of the tests' time. A program's name in the cache is a hash of its text, of the
# compiler's version and of the processor's features.
PROGRAMS = Path(__file__).parents[1] / "build" / "test-programs"
CACHE = {
    "jax_compilation_cache_dir": str(PROGRAMS),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
    "jax_persistent_cache_enable_xla_caches": "none",  # others put the directory into the name
}
MAX_PROGRAMS = 30_000


def pytest_configure() -> None:
    for name, value in CACHE.items():
        os.environ[name.upper()] = str(value)
        jax.config.update(name, value)
    if PROGRAMS.exists() and len(os.listdir(PROGRAMS)) > MAX_PROGRAMS:
        shutil.rmtree(PROGRAMS, ignore_errors=True)
    PROGRAMS.mkdir(parents=True, exist_ok=True)


@pytest.fixture
def data_dir() -> Path:
    """The directory of the real texts; tests that need it are skipped if there is none."""
    if "UNSPOOL_DATA" not in os.environ:
        pytest.skip("set UNSPOOL_DATA to the directory of the real texts")
    return Path(os.environ["UNSPOOL_DATA"])


@pytest.fixture
def x64() -> Iterator[None]:
    """Arrays of 64-bit floats for the length of a test."""
    with jax.enable_x64(True):
        yield
