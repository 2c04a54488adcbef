"""A time loop with its own backward pass, whatever runs it.

The forward pass stores what the backward pass needs (the gates), so nothing is computed twice, and
the backward loop only carries the gradient of the state: W_hh's gradient is one product over all
time steps after it, instead of T small ones.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Weights(NamedTuple):
    """The weights and biases of the recurrent half of a built-in cell; `b_hn` is the GRU's."""

    w_hh: Float[Array, "P H"]
    b_hn: Float[Array, "H"] | None = None


class Program(NamedTuple):
    """A way to run a kind of cell. T steps, B batch, P summed inputs; arrays are time-major.

    outputs(projected, weights, state, lengths) -> hs, last state
    forward(projected, weights, state, lengths) -> hs, last state, stored
    backward(stored, hs, weights, state, lengths, d_hs, d_last)
        -> d_projected, d_weights, d_state

    named(stored) -> what a step computes, (T, B, H) each, by the names that the cell has for it

    `d_projected` is zero in padding. With `both_directions` a program takes two cells as one:
    twice the columns, of which the second half runs backwards in time (`native`).
    """

    outputs: Callable[..., Any]
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    named: Callable[[Any], dict[str, Array]] = lambda stored: {}
    both_directions: bool = False


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def execute(
    program: Program,
    projected: Float[Array, "T B P"],
    weights: Weights,
    state: Any,
    lengths: Int[Array, "B"] | None,
) -> tuple[Float[Array, "T B H"], Any]:
    """Return the outputs of all steps and the last state."""
    return program.outputs(projected, weights, state, lengths)


def _forward(program: Program, projected: Array, weights: Weights, state: Any, lengths: Any) -> Any:
    hs, last, stored = program.forward(projected, weights, state, lengths)
    return (hs, last), (stored, hs, weights, state, lengths)


def _backward(program: Program, saved: Any, cotangents: Any) -> Any:
    d_projected, d_weights, d_state = program.backward(*saved, *cotangents)
    return d_projected, d_weights, d_state, None


execute.defvjp(_forward, _backward)


def previous(first: Float[Array, "B H"], xs: Float[Array, "T B H"]) -> Float[Array, "T B H"]:
    """Return the values one step earlier: `first`, then all but the last of `xs`."""
    return jnp.concatenate([first[None], xs])[: len(xs)]


def weight_gradient(
    d_recurrent: Float[Array, "T B P"], h0: Float[Array, "B H"], hs: Float[Array, "T B H"]
) -> Float[Array, "P H"]:
    """Return dW_hh, the sum over t and b of d_recurrent h_{t-1}^T, as one product.

    `d_recurrent` is the gradient of W_hh h_{t-1} (+ b_hn), which because of the GRU's reset gate
    may differ from that of the projected inputs. It is zero in padding.
    """
    # The smaller one is transposed in memory first: a product of row-major matrices is a third
    # faster than one that contracts over the leading axes.
    h_prev = previous(h0, hs).reshape(-1, hs.shape[-1]).T.copy()
    return (h_prev @ d_recurrent.reshape(-1, d_recurrent.shape[-1])).T
