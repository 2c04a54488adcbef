"""Truncated backpropagation through time: chunks of a long sequence with carried state.

The state crosses from chunk to chunk; its gradient does not (Williams and Peng 1990).
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool


def carry(state: Any, initial: Any, reset: Bool[Array, ""]) -> Any:
    """Return the state that a chunk starts from: the carried one without its gradient, or the
    initial one if the lanes wrap to the start of the text.

    `reset` is a traced scalar, so that both cases are one compiled program.
    """
    return jax.tree.map(
        lambda new, old: jnp.where(reset, new, jax.lax.stop_gradient(old)), initial, state
    )
