"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from hypothesis import settings
from tests.programs import keep_programs, make_room

# How long an example takes says more of the machine's load than of the code.
settings.register_profile("unspool", deadline=None)
settings.load_profile("unspool")


def pytest_configure() -> None:
    make_room()
    keep_programs()


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
