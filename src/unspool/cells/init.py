"""Initial weights."""

import jax
from jaxtyping import Array, Float, PRNGKeyArray


def uniform(key: PRNGKeyArray, shape: tuple[int, ...], fan: int) -> Float[Array, "..."]:
    """U(-1/sqrt(fan), 1/sqrt(fan)), as torch.nn draws recurrent weights."""
    bound = fan**-0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def embedding_table(key: PRNGKeyArray, entries: int, size: int) -> Float[Array, "V E"]:
    """A vector for each token, in +-0.1."""
    return uniform(key, (entries, size), fan=100)
