"""Convolutions of pictures (B, H, W, C) in forms that XLA runs fast on a CPU.

XLA's own depthwise convolution runs at about 1 GFLOP/s on a core. As a sum of shifted slices, which
XLA fuses into one loop, it is 16 to 26 times as fast with stride 1, and 6 times with stride 2. A
dense convolution is one matrix product.
"""

from collections.abc import Iterator
from functools import partial, reduce

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "same" padding: ceil(size / stride) outputs, the odd zero at the end."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def taps(x: Float[Array, "B H W C"], kernel: int, stride: int) -> Iterator[Array]:
    """Yield the input at each place of a kernel: kernel^2 arrays (B, H/stride, W/stride, C)."""
    _, height, width, _ = x.shape
    sides = (padding(height, kernel, stride), padding(width, kernel, stride))
    x = jnp.pad(x, ((0, 0), *sides, (0, 0)))
    rows, columns = (-(-n // stride) - 1 for n in (height, width))
    for i in range(kernel):
        for j in range(kernel):
            last = (i + rows * stride + 1, j + columns * stride + 1)
            yield x[:, i : last[0] : stride, j : last[1] : stride]


class Conv(eqx.Module):
    """y = w * x + b with "same" padding; a kernel of 1 is a matrix product at each pixel."""

    w: Float[Array, "K K I O"]
    b: Float[Array, "O"]
    stride: int = eqx.field(static=True, default=1)

    @classmethod
    def create(
        cls, inputs: int, outputs: int, key: PRNGKeyArray, *, kernel: int = 1, stride: int = 1
    ) -> "Conv":
        """Initialise as He et al. 2015, arXiv 1502.01852: normal, variance 2 / inputs per
        output.
        """
        w = jax.random.normal(key, (kernel, kernel, inputs, outputs))
        return cls(w * (2 / (kernel**2 * inputs)) ** 0.5, jnp.zeros(outputs), stride)

    def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
        kernel, _, inputs, outputs = self.w.shape
        seen = jnp.concatenate([*taps(x, kernel, self.stride)], axis=-1)
        return seen @ self.w.reshape(kernel**2 * inputs, outputs) + self.b


class DepthwiseConv(eqx.Module):
    """Filter each channel separately: y[..., c] = w[..., c] * x[..., c] + b[c]."""

    w: Float[Array, "K K C"]
    b: Float[Array, "C"]
    stride: int = eqx.field(static=True, default=1)

    @classmethod
    def create(
        cls, channels: int, key: PRNGKeyArray, *, kernel: int, stride: int = 1
    ) -> "DepthwiseConv":
        """Initialise with normal weights of variance 2 / kernel^2."""
        w = jax.random.normal(key, (kernel, kernel, channels))
        return cls(w * (2 / kernel**2) ** 0.5, jnp.zeros(channels), stride)

    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w C"]:
        return _depthwise(x, self.w, self.stride) + self.b


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _depthwise(
    x: Float[Array, "B H W C"], w: Float[Array, "K K C"], stride: int
) -> Float[Array, "B h w C"]:
    """Sum shifted slices; with automatic gradients fine-tuning would be a quarter slower."""
    weights = w.reshape(-1, w.shape[2])
    products = (tap * v for tap, v in zip(taps(x, len(w), stride), weights, strict=True))
    return reduce(jnp.add, products)


def _forward(x: Array, w: Array, stride: int) -> tuple[Array, tuple[Array, Array]]:
    return _depthwise(x, w, stride), (x, w)


def _backward(stride: int, saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    """Return dx, dy dilated by zeros and filtered by the mirrored kernel; and dw, each tap times
    dy.
    """
    x, w = saved
    kernel = len(w)
    sides = [
        _spread(n, m, kernel, stride) for n, m in zip(x.shape[1:3], dy.shape[1:3], strict=True)
    ]
    spread = jax.lax.pad(dy, jnp.zeros((), dy.dtype), ((0, 0, 0), *sides, (0, 0, 0)))
    rows, columns = x.shape[1:3]
    dx = reduce(
        jnp.add,
        (
            spread[:, i : i + rows, j : j + columns] * w[kernel - 1 - i, kernel - 1 - j]
            for i in range(kernel)
            for j in range(kernel)
        ),
    )

    def of_picture(total: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
        one, d = pair
        dw = [jnp.sum(tap[0] * d, (0, 1)) for tap in taps(one[None], kernel, stride)]
        return total + jnp.stack(dw), None

    # Picture by picture, so that the input of the kernel^2 sums stays in the cache.
    dw, _ = jax.lax.scan(of_picture, jnp.zeros((kernel**2, w.shape[2]), w.dtype), (x, dy))
    return dx, dw.reshape(w.shape)


def _spread(size: int, outputs: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """Return the zeros before, after and between the gradients, for size + kernel - 1 in all."""
    before = kernel - 1 - padding(size, kernel, stride)[0]
    return before, size + kernel - 1 - before - (outputs - 1) * stride - 1, stride - 1


_depthwise.defvjp(_forward, _backward)
