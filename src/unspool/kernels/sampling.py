"""Sample in C++: a whole network, token after token, in one call (native/sampling.cc).

A step of sampling reads every weight once and uses it once, so its time is that of reading them.
They are packed in the order of reading, and may be stored in fewer bits.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..errors import ConfigError
from ..library import panel_units, threads

WeightType = Literal["float32", "bfloat16", "int8"]


class Layer(NamedTuple):
    """A layer's arrays for the kernel; empty if its cell does not have them."""

    w_ih: Array  # packed
    ih_scale: Array
    bias: Array
    w_hh: Array  # packed
    hh_scale: Array
    b_hn: Array


class Network(eqx.Module):
    """Packed weights: a table of projected inputs (or of embeddings), layers, output weights."""

    table: Float[Array, "V P"]
    layers: tuple[Layer, ...]
    w_out: Array
    out_scale: Array
    b_out: Float[Array, "V"]
    gates: int = eqx.field(static=True)
    sizes: tuple[tuple[int, int], ...] = eqx.field(static=True)  # (inputs, hidden) of each layer

    @property
    def vocab_size(self) -> int:
        """Return the number of tokens to choose from."""
        return self.b_out.shape[0]


class Rule(NamedTuple):
    """How a token is chosen; without noise, the likeliest."""

    temperature: Float[Array, ""]
    top_k: Int[Array, ""]
    top_p: Float[Array, ""]


def check_weight_type(weights: str) -> None:
    """Raise ConfigError unless `weights` names a type."""
    if weights not in get_args(WeightType):
        names = ", ".join(get_args(WeightType))
        raise ConfigError(f"weights must be one of {names}, got {weights!r}")


def quantise(w: Any, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix in fewer bits, and for int8 a scale for each row: w = scale * values.

    int8 is symmetric: the row's largest absolute value becomes 127. Otherwise the scale is empty.
    """
    w = np.asarray(w, np.float32)
    if weights != "int8":
        return w.astype(jnp.dtype(weights)), np.zeros(0, np.float32)
    scale = np.abs(w).max(axis=1, initial=0) / np.float32(127)
    scale = np.where(scale > 0, scale, np.float32(1))
    return np.rint(w / scale[:, None]).astype(np.int8), scale


def round_matrix(w: Any, weights: str) -> Array:
    """Return the matrix as float32 after `quantise`."""
    values, scale = quantise(w, weights)
    return jnp.asarray(values.astype(np.float32) * (scale[:, None] if scale.size else 1))


def pack(w: np.ndarray, gates: int) -> np.ndarray:
    """Pack (gates * H, K) in the kernel's order: (panels, K, gates, units), the last panel
    padded.
    """
    units = panel_units(gates)
    outputs, depth = w.shape
    hidden = outputs // gates
    w = np.pad(w.reshape(gates, hidden, depth), ((0, 0), (0, -hidden % units), (0, 0)))
    return np.ascontiguousarray(w.reshape(gates, -1, units, depth).transpose(1, 3, 0, 2)).ravel()


def pack_matrix(w: Any, gates: int, weights: str) -> tuple[Array, Array]:
    """Return packed weights and their scale."""
    values, scale = quantise(w, weights)
    return jnp.asarray(pack(values, gates)), jnp.asarray(scale)


def sample(
    network: Network,
    first: Int[Array, "B"],
    states: Sequence[tuple[Array, Array]],
    given: Int[Array, "T"],
    steps: Int[Array, ""],
    noise: Float[Array, "T B V"] | None,
    rule: Rule,
) -> tuple[Int[Array, "B T"], list[tuple[Array, Array]]]:
    """Return the first `steps` of T tokens after `first`, and the states (h, c) that have read all
    but the last. Tokens of at least 0 in `given` are used as they are, the others chosen.

    A choice is the largest of logits / temperature + noise among the top_k largest and, of these,
    the likeliest of total probability top_p; without noise the largest logit.
    """
    batch, block = first.shape[0], given.shape[0]
    noise = jnp.zeros((0, 0, 0)) if noise is None else noise
    results: list[Any] = [jax.ShapeDtypeStruct((batch, block), jnp.int32)]  # type: ignore[no-untyped-call]
    arguments: list[Any] = []
    for layer, state in zip(network.layers, states, strict=True):
        arguments += [*layer, *state]
        results += [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in state]  # type: ignore[no-untyped-call]
    tokens, *flat = jax.ffi.ffi_call("unspool_sample", tuple(results))(
        first, given, steps, noise, *rule,
        network.table, network.w_out, network.out_scale, network.b_out, *arguments,
        gates=np.int64(network.gates),
        sizes=np.array(network.sizes, np.int64).ravel(),
        threads=threads(),
    )  # fmt: skip
    return tokens, list(zip(flat[::2], flat[1::2], strict=True))
