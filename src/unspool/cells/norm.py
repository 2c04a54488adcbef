"""Layer normalisation inside a recurrent cell (Ba, Kiros and Hinton 2016, arXiv 1607.06450)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

EPSILON = 1e-5


def normalise(x: Float[Array, "*N H"]) -> Float[Array, "*N H"]:
    """Return (x - mean) / sqrt(variance + 1e-5) over the last axis."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + EPSILON)


class GateNorm(eqx.Module):
    """Normalise each gate's two summed inputs separately: gain * normalise(a).

    The paper's equations 20-22, with statistics per gate. There is no shift, because the cell's
    bias is added after the input half is normalised.
    """

    gain_ih: Float[Array, "G H"]
    gain_hh: Float[Array, "G H"]

    @classmethod
    def create(cls, gates: int, hidden_size: int) -> "GateNorm":
        return cls(jnp.ones((gates, hidden_size)), jnp.ones((gates, hidden_size)))

    def inputs(self, a: Float[Array, "*N P"]) -> Float[Array, "*N P"]:
        return _per_gate(a, self.gain_ih)

    def recurrent(self, a: Float[Array, "*N P"]) -> Float[Array, "*N P"]:
        return _per_gate(a, self.gain_hh)


def _per_gate(a: Float[Array, "*N P"], gain: Float[Array, "G H"]) -> Float[Array, "*N P"]:
    gates = a.reshape(*a.shape[:-1], *gain.shape)
    return (gain * normalise(gates)).reshape(a.shape)
