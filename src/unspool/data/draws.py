"""Random numbers that never change between versions."""

from collections.abc import Callable

import numpy as np

from ..errors import ConfigError


def raw_draws(seed: int, *numbers: int) -> Callable[[int], np.ndarray]:
    """Return a function that makes n random 64-bit numbers, in a stream that follows from the
    arguments alone.

    NumPy guarantees that the raw stream never changes, but not its distributions. Raises
    ConfigError if the seed is not a whole number of at least 0.
    """
    try:
        return np.random.Philox(np.random.SeedSequence([seed, *numbers])).random_raw
    except (TypeError, ValueError) as error:
        raise ConfigError(f"seed must be a whole number of at least 0, got {seed!r}") from error
