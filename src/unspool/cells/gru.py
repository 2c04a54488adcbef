"""The gated recurrent unit."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .base import MatrixCell, Quantity, check_sizes, project_inputs
from .init import uniform
from .norm import GateNorm


class GRUState(NamedTuple):
    """h: hidden state, (B, H)."""

    h: Float[Array, "B H"]


class GRU(MatrixCell):
    """Reset gate r, update gate z, candidate n:

        r, z = sigmoid(W_ih x_t + b + W_hh h_{t-1})
        n    = tanh(W_in x_t + b_n + r * (W_hn h_{t-1} + b_hn))
        h_t  = (1 - z) * n + z * h_{t-1}

    Cho et al. 2014 in the form of cuDNN and PyTorch: the reset gate is applied after the recurrent
    product, so that the products of all three gates are one matrix product. Weights are in
    PyTorch's layout, (out, in), with its gate order r, z, n; `b_hn` is the one recurrent bias that
    cannot be merged with the input's. With `layer_norm` both products are normalised.
    """

    gate_names: ClassVar[Mapping[str, Quantity]] = {
        "r": Quantity("reset gate", 0, 1),
        "z": Quantity("update gate", 0, 1),
        "n": Quantity("candidate"),
    }

    w_ih: Float[Array, "3*H D"]
    w_hh: Float[Array, "3*H H"]
    bias: Float[Array, "3*H"]
    b_hn: Float[Array, "H"]
    norm: GateNorm | None
    hidden_size: int = eqx.field(static=True)

    @classmethod
    def create(
        cls, input_size: int, hidden_size: int, *, layer_norm: bool = False, key: PRNGKeyArray
    ) -> "GRU":
        """Initialise with uniform weights in +-1/sqrt(H) and zero biases.

        Raises ConfigError if a size is not a whole number of at least 1.
        """
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        k_ih, k_hh = jax.random.split(key)
        return cls(
            w_ih=uniform(k_ih, (3 * hidden_size, input_size), fan=hidden_size),
            w_hh=uniform(k_hh, (3 * hidden_size, hidden_size), fan=hidden_size),
            bias=jnp.zeros(3 * hidden_size),
            b_hn=jnp.zeros(hidden_size),
            norm=GateNorm.create(3, hidden_size) if layer_norm else None,
            hidden_size=hidden_size,
        )

    def initial_state(self, batch: int) -> GRUState:
        return GRUState(jnp.zeros((batch, self.hidden_size)))

    def project(self, x: Float[Array, "*N D"] | Int[Array, "*N"]) -> Float[Array, "*N 3*H"]:
        if self.norm:
            return self.norm.inputs(project_inputs(x, self.w_ih)) + self.bias
        return project_inputs(x, self.w_ih, self.bias)

    def step(self, state: GRUState, projected: Float[Array, "B 3*H"]) -> GRUState:
        _r, z, n = self.gates(state, projected).values()
        return GRUState((1 - z) * n + z * state.h)

    def gates(self, state: GRUState, projected: Float[Array, "B 3*H"]) -> dict[str, Array]:
        """r, z, n."""
        a = state.h @ self.w_hh.T
        a = self.norm.recurrent(a) if self.norm else a
        return dict(zip("rzn", activate(projected, a, self.b_hn)[:3], strict=True))


def activate(
    projected: Float[Array, "B 3*H"], recurrent: Float[Array, "B 3*H"], b_hn: Float[Array, "H"]
) -> tuple[Array, Array, Array, Array]:
    """Return r, z, n and hn = W_hn h + b_hn from both halves of the summed input."""
    p_r, p_z, p_n = jnp.split(projected, 3, axis=-1)
    a_r, a_z, a_n = jnp.split(recurrent, 3, axis=-1)
    r, z, hn = jax.nn.sigmoid(p_r + a_r), jax.nn.sigmoid(p_z + a_z), a_n + b_hn
    return r, z, jnp.tanh(p_n + r * hn), hn
