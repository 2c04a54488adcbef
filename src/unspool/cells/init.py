"""Initial weights."""

from zlib import crc32

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from ..errors import ConfigError


def random_key(seed: int, part: str = "") -> PRNGKeyArray:
    """Make the root random key of a seed: for a model's weights, or for another `part`.

    Whatever samples besides the weights needs its own root: `split(key, n)[i]` is `fold_in(key,
    i)`, so anything that split or folded the same root would get the numbers that some weights are
    made of. Raises ConfigError if the seed is not a whole number of 64 bits.
    """
    try:
        key = jax.random.key(seed)
        return jax.random.fold_in(key, crc32(part.encode())) if part else key
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"seed must be a whole number of 64 bits, got {seed!r}") from error


def uniform(key: PRNGKeyArray, shape: tuple[int, ...], fan: int) -> Float[Array, "..."]:
    """Sample U(-1/sqrt(fan), 1/sqrt(fan)), as torch.nn does for recurrent weights."""
    bound = fan**-0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def embedding_table(key: PRNGKeyArray, entries: int, size: int) -> Float[Array, "V E"]:
    """Sample a vector for each token, in +-0.1."""
    return uniform(key, (entries, size), fan=100)
