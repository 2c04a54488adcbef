"""The contract of a recurrent cell: f_W, one step at a time."""

from abc import abstractmethod
from numbers import Integral
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..errors import ConfigError
from ..products import affine, look_up

State = Any  # an array or a NamedTuple of arrays, batch first


class Cell(eqx.Module):
    """h_t = f_W(h_{t-1}, x_t), split into the part without the state and the rest.

    `project` is the input half: it needs no state, so `unroll` computes it for every time step at
    once. `step` is the recurrent half and has the rest of the equations. A custom cell defines
    `hidden_size` and these three methods; it then works in every model, with automatic
    gradients:

        class LeakyCell(unspool.Cell):
            w_in: Array
            w_hid: Array
            leak: float = eqx.field(static=True)
            hidden_size: int = eqx.field(static=True)

            def initial_state(self, batch):
                return jnp.zeros((batch, self.hidden_size))

            def project(self, x):
                return x @ self.w_in

            def step(self, h, projected):
                return (1 - self.leak) * h + self.leak * jnp.tanh(projected + h @ self.w_hid)
    """

    hidden_size: eqx.AbstractVar[int]

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Return the state before the first step: leaves of shape (B, ...)."""

    @abstractmethod
    def project(self, x: Array) -> Array:
        """Compute the input half for any leading axes: (..., D) to (..., P); for token ids
        (...).
        """

    @abstractmethod
    def step(self, state: State, projected: Float[Array, "B P"]) -> State:
        """Compute the recurrent half: the state after one step."""

    def gates(self, state: State, projected: Float[Array, "B P"]) -> dict[str, Array]:
        """Return what a step computes besides its state, by name, (B, H) each: for `inspection`.

        Nothing, unless a custom cell overrides it.
        """
        return {}

    def output(self, state: State) -> Float[Array, "B H"]:
        """Return what the next layer sees of a state: the state itself, or its field `h`."""
        return state.h if hasattr(state, "h") else state


def project_inputs(
    x: Float[Array, "*N D"] | Int[Array, "*N"],
    w_ih: Float[Array, "P D"],
    bias: Float[Array, "P"] | None = None,
) -> Float[Array, "*N P"]:
    """Return `x @ w_ih.T`, plus `bias`; for token ids the matching columns of `w_ih`, gathered.

    A token id stands for its one-hot vector, and the product of a matrix with a one-hot vector is
    one of its columns: no one-hot vector is formed and nothing is multiplied.
    """
    if not jnp.issubdtype(x.dtype, jnp.integer):
        return x @ w_ih.T if bias is None else affine(x, w_ih, bias)
    if w_ih.shape[1] < x.size:
        return look_up(w_ih.T if bias is None else w_ih.T + bias, x)
    columns = w_ih.T[x]  # if they are few, XLA gathers them without transposing the matrix
    return columns if bias is None else columns + bias


def check_sizes(**sizes: int) -> None:
    """Raise ConfigError unless every size is a whole number from 1 to 2^31 - 1, as in XLA."""
    for name, value in sizes.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{name} must be a whole number of at least 1, got {value!r}")
        if value >= 2**31:
            raise ConfigError(f"{name} must be below {2**31}, got {value}")
