"""Initial weights."""

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from ..errors import ConfigError


def random_key(seed: int) -> PRNGKeyArray:
    """The key of a seed; ConfigError for one that is no whole number of 64 bits."""
    try:
        return jax.random.key(seed)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"seed must be a whole number of 64 bits, got {seed!r}") from error


def uniform(key: PRNGKeyArray, shape: tuple[int, ...], fan: int) -> Float[Array, "..."]:
    """U(-1/sqrt(fan), 1/sqrt(fan)), as torch.nn draws recurrent weights."""
    bound = fan**-0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def embedding_table(key: PRNGKeyArray, entries: int, size: int) -> Float[Array, "V E"]:
    """A vector for each token, in +-0.1."""
    return uniform(key, (entries, size), fan=100)
