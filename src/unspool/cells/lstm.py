"""Long short-term memory."""

from collections.abc import Mapping
from math import inf
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .base import MatrixCell, Quantity, check_sizes, project_inputs
from .init import uniform
from .norm import GateNorm, normalise

FORGET_BIAS = 1.0  # the cell starts by remembering (Jozefowicz et al. 2015)


class LSTMState(NamedTuple):
    """h: hidden state, c: cell state, both (B, H)."""

    h: Float[Array, "B H"]
    c: Float[Array, "B H"]


class LSTMNorm(eqx.Module):
    """Layer norm of an LSTM: of its gates, and of the cell state before the output."""

    gates: GateNorm
    gain_c: Float[Array, "H"]
    bias_c: Float[Array, "H"]

    @classmethod
    def create(cls, hidden_size: int) -> "LSTMNorm":
        gates = GateNorm.create(4, hidden_size)
        return cls(gates, jnp.ones(hidden_size), jnp.zeros(hidden_size))


class LSTM(MatrixCell):
    """Gates i, f, g, o from one summed input a = W_ih x_t + W_hh h_{t-1} + b:

        i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)      g = tanh(a_g)
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)

    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. Weights are in
    PyTorch's layout, (out, in), with its gate order i, f, g, o, but one bias instead of two. With
    `layer_norm` both products and the cell state inside the last tanh are normalised (Ba et al.
    2016).
    """

    state_names: ClassVar[Mapping[str, Quantity]] = {
        "h": Quantity("hidden state"),
        "c": Quantity("cell state", -inf, inf),
    }
    gate_names: ClassVar[Mapping[str, Quantity]] = {
        "i": Quantity("input gate", 0, 1),
        "f": Quantity("forget gate", 0, 1),
        "g": Quantity("candidate"),
        "o": Quantity("output gate", 0, 1),
    }

    w_ih: Float[Array, "4*H D"]
    w_hh: Float[Array, "4*H H"]
    bias: Float[Array, "4*H"]
    norm: LSTMNorm | None
    hidden_size: int = eqx.field(static=True)

    @classmethod
    def create(
        cls, input_size: int, hidden_size: int, *, layer_norm: bool = False, key: PRNGKeyArray
    ) -> "LSTM":
        """Initialise with uniform weights in +-1/sqrt(H) and zero bias, except 1 for the forget
        gate.

        Raises ConfigError if a size is not a whole number of at least 1.
        """
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        k_ih, k_hh = jax.random.split(key)
        bias = jnp.zeros(4 * hidden_size).at[hidden_size : 2 * hidden_size].set(FORGET_BIAS)
        return cls(
            w_ih=uniform(k_ih, (4 * hidden_size, input_size), fan=hidden_size),
            w_hh=uniform(k_hh, (4 * hidden_size, hidden_size), fan=hidden_size),
            bias=bias,
            norm=LSTMNorm.create(hidden_size) if layer_norm else None,
            hidden_size=hidden_size,
        )

    def initial_state(self, batch: int) -> LSTMState:
        zeros = jnp.zeros((batch, self.hidden_size))
        return LSTMState(zeros, zeros)

    def project(self, x: Float[Array, "*N D"] | Int[Array, "*N"]) -> Float[Array, "*N 4*H"]:
        if self.norm:
            return self.norm.gates.inputs(project_inputs(x, self.w_ih)) + self.bias
        return project_inputs(x, self.w_ih, self.bias)

    def step(self, state: LSTMState, projected: Float[Array, "B 4*H"]) -> LSTMState:
        i, f, g, o = self.gates(state, projected).values()
        c = f * state.c + i * g
        return LSTMState(o * jnp.tanh(self._normalised(c)), c)

    def gates(self, state: LSTMState, projected: Float[Array, "B 4*H"]) -> dict[str, Array]:
        """i, f, g, o."""
        a = state.h @ self.w_hh.T
        a = projected + (self.norm.gates.recurrent(a) if self.norm else a)
        return dict(zip("ifgo", activate(a), strict=True))

    def _normalised(self, c: Float[Array, "B H"]) -> Float[Array, "B H"]:
        return self.norm.gain_c * normalise(c) + self.norm.bias_c if self.norm else c


def activate(a: Float[Array, "B 4*H"]) -> tuple[Array, Array, Array, Array]:
    """Turn the summed inputs into the gates i, f, g, o."""
    i, f, g, o = jnp.split(a, 4, axis=-1)
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
