"""Random numbers that are the same for all time."""

from collections.abc import Callable

import numpy as np

from ..errors import ConfigError


def raw_draws(seed: int, *numbers: int) -> Callable[[int], np.ndarray]:
    """A function that draws n numbers of 64 bits: a stream that follows from the arguments alone.

    NumPy promises the raw stream for all time, but not that of its distributions. Raises
    ConfigError for a seed that is no whole number of at least 0.
    """
    try:
        return np.random.Philox(np.random.SeedSequence([seed, *numbers])).random_raw
    except (TypeError, ValueError) as error:
        raise ConfigError(f"seed must be a whole number of at least 0, got {seed!r}") from error
