"""Initial weights."""

from zlib import crc32

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from ..errors import ConfigError


def random_key(seed: int, part: str = "") -> PRNGKeyArray:
    """Make the root of random numbers of a seed: of a model's weights, or of another `part`.

    What draws beside the weights needs a root of its own: `split(key, n)[i]` is `fold_in(key, i)`,
    so whatever split or folded the same root would draw the numbers that some weights are made of.
    Raises ConfigError for a seed that is no whole number of 64 bits.
    """
    try:
        key = jax.random.key(seed)
        return jax.random.fold_in(key, crc32(part.encode())) if part else key
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"seed must be a whole number of 64 bits, got {seed!r}") from error


def uniform(key: PRNGKeyArray, shape: tuple[int, ...], fan: int) -> Float[Array, "..."]:
    """U(-1/sqrt(fan), 1/sqrt(fan)), as torch.nn draws recurrent weights."""
    bound = fan**-0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def embedding_table(key: PRNGKeyArray, entries: int, size: int) -> Float[Array, "V E"]:
    """A vector for each token, in +-0.1."""
    return uniform(key, (entries, size), fan=100)
