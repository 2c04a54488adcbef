"""Products and look-ups over all time steps at once, with the native library if there is one.

The products, forwards and for the gradients of inputs, are XLA's; kernels copy rows and sum the
gradients of weights, biases and tables. XLA would transpose an operand of the weights' gradient in
memory, sum the bias's separately, and copy what it scatters; the kernels read every array once,
where it is. Differentiable once, in reverse mode.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .library import applies_to, call, shape


def affine(
    x: Float[Array, "*N D"], weights: Float[Array, "P D"], bias: Float[Array, "P"]
) -> Float[Array, "*N P"]:
    """Return x W^T + b."""
    if not applies_to(x, weights, bias):
        return x @ weights.T + bias
    return _affine(x, weights, bias)


@jax.custom_vjp
def _affine(x: Array, weights: Array, bias: Array) -> Array:
    return x @ weights.T + bias


def _affine_forward(x: Array, weights: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
    return _affine(x, weights, bias), (x, weights)


def _affine_backward(saved: tuple[Array, Array], d: Array) -> tuple[Array, Array, Array]:
    x, weights = saved
    outputs, inputs = weights.shape
    rows = math.prod(d.shape[:-1])
    results = shape(outputs, inputs), shape(outputs), shape(rows, outputs)
    flat = d.reshape(rows, outputs), x.reshape(rows, inputs)
    d_weights, d_bias, d = call("affine_gradient", results, *flat, reuse={0: 2})
    return (d @ weights).reshape(x.shape), d_weights, d_bias


_affine.defvjp(_affine_forward, _affine_backward)


def look_up(table: Float[Array, "V P"], ids: Int[Array, "*N"]) -> Float[Array, "*N P"]:
    """Return the rows of the table with these ids, from 0 to V-1."""
    if not applies_to(table):
        return table[ids]
    return _look_up(table, ids.astype(jnp.int32))


@jax.custom_vjp
def _look_up(table: Array, ids: Array) -> Array:
    return call("table_rows", (shape(*ids.shape, table.shape[1]),), table, ids)[0]


def _look_up_forward(table: Array, ids: Array) -> tuple[Array, tuple[Array, int]]:
    return _look_up(table, ids), (ids, len(table))


def _look_up_backward(saved: tuple[Array, int], d: Array) -> tuple[Array, None]:
    ids, entries = saved
    columns = d.shape[-1]
    flat = ids.reshape(-1), d.reshape(ids.size, columns)
    (d_table,) = call("table_gradient", (shape(entries, columns),), *flat)
    return d_table, None


_look_up.defvjp(_look_up_forward, _look_up_backward)
