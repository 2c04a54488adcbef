"""The vanilla (Elman) recurrent network."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .base import MatrixCell, check_sizes, project_inputs
from .init import uniform
from .norm import GateNorm


class RNNState(NamedTuple):
    """h: hidden state, (B, H)."""

    h: Float[Array, "B H"]


class RNN(MatrixCell):
    """h_t = tanh(W_ih x_t + W_hh h_{t-1} + b)   (Elman 1990)

    Weights are in PyTorch's layout, (out, in). With `layer_norm` the two products are normalised
    before they are added, as Ba et al. 2016 do for LSTMs and GRUs (for RNNs they normalise the
    sum).
    """

    w_ih: Float[Array, "H D"]
    w_hh: Float[Array, "H H"]
    bias: Float[Array, "H"]
    norm: GateNorm | None
    hidden_size: int = eqx.field(static=True)

    @classmethod
    def create(
        cls, input_size: int, hidden_size: int, *, layer_norm: bool = False, key: PRNGKeyArray
    ) -> "RNN":
        """Initialise with uniform weights and biases in +-1/sqrt(H).

        Raises ConfigError if a size is not a whole number of at least 1.
        """
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        k_ih, k_hh, k_bias = jax.random.split(key, 3)
        return cls(
            w_ih=uniform(k_ih, (hidden_size, input_size), fan=hidden_size),
            w_hh=uniform(k_hh, (hidden_size, hidden_size), fan=hidden_size),
            bias=uniform(k_bias, (hidden_size,), fan=hidden_size),
            norm=GateNorm.create(1, hidden_size) if layer_norm else None,
            hidden_size=hidden_size,
        )

    def initial_state(self, batch: int) -> RNNState:
        return RNNState(jnp.zeros((batch, self.hidden_size)))

    def project(self, x: Float[Array, "*N D"] | Int[Array, "*N"]) -> Float[Array, "*N H"]:
        if self.norm:
            return self.norm.inputs(project_inputs(x, self.w_ih)) + self.bias
        return project_inputs(x, self.w_ih, self.bias)

    def step(self, state: RNNState, projected: Float[Array, "B H"]) -> RNNState:
        a = state.h @ self.w_hh.T
        return RNNState(jnp.tanh(projected + (self.norm.recurrent(a) if self.norm else a)))
