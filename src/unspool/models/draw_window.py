"""Where DRAW reads and writes: a grid of Gaussian filters that a vector places on an image.

Gregor et al. 2015, "DRAW: A recurrent neural network for image generation", arXiv 1502.04623,
section 3.2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PARAMETERS = 5
MOST_LOG = 8.0  # logarithms of variance, stride and intensity are cut here, so that all is finite


class Window(NamedTuple):
    """A grid of N x N Gaussian filters on each of B images. Lengths are in pixels, which are
    counted from 1, as in the paper; `variance` is that of every filter.
    """

    y: Float[Array, "*B"]
    x: Float[Array, "*B"]
    stride: Float[Array, "*B"]
    variance: Float[Array, "*B"]
    intensity: Float[Array, "*B"]


def window(parameters: Float[Array, "*B 5"], height: int, width: int, size: int) -> Window:
    """Place a grid of `size` x `size` filters, by the paper's equations 21 to 24:

        g_X = (width + 1) / 2 (p_1 + 1)      g_Y = (height + 1) / 2 (p_2 + 1)
        variance = exp p_3      intensity = exp p_5
        stride = (max(width, height) - 1) / (size - 1) exp p_4

    so that zeros place it over the whole image. One filter has no stride.
    """
    x, y = parameters[..., 0], parameters[..., 1]
    logs = jnp.clip(parameters[..., 2:], -MOST_LOG, MOST_LOG)
    return Window(
        y=(height + 1) / 2 * (y + 1),
        x=(width + 1) / 2 * (x + 1),
        stride=(max(width, height) - 1) / max(size - 1, 1) * jnp.exp(logs[..., 1]),
        variance=jnp.exp(logs[..., 0]),
        intensity=jnp.exp(logs[..., 2]),
    )


def filters(
    centre: Float[Array, "B"],
    stride: Float[Array, "B"],
    variance: Float[Array, "B"],
    size: int,
    pixels: int,
) -> Float[Array, "B N pixels"]:
    """The filters along one axis, by the paper's equations 19, 20, 25 and 26, i from 1 to N:

        mu_i = centre + (i - N / 2 - 0.5) stride
        F[i, a] = exp(-(a - mu_i)^2 / (2 variance)) / Z,     each row sums to 1

    A softmax, as which it is computed, is finite for a filter far from the image too: such a one
    rests on the nearest pixel.
    """
    offsets = jnp.arange(1, size + 1) - size / 2 - 0.5
    middles = centre[:, None] + offsets * stride[:, None]
    distance = jnp.arange(1, pixels + 1) - middles[..., None]
    return jax.nn.softmax(-(distance**2) / (2 * variance[:, None, None]), axis=-1)


def banks(
    place: Window, size: int, height: int, width: int
) -> tuple[Float[Array, "B N H"], Float[Array, "B N W"]]:
    """F_Y and F_X of a window."""
    rows = filters(place.y, place.stride, place.variance, size, height)
    return rows, filters(place.x, place.stride, place.variance, size, width)


def read(images: Float[Array, "B H W C"], place: Window, size: int) -> Float[Array, "B N N C"]:
    """What is seen through a window: intensity F_Y x F_X^T of every channel (equation 27)."""
    rows, columns = banks(place, size, *images.shape[1:3])
    seen = jnp.einsum("bnh,bhwc,bmw->bnmc", rows, images, columns)
    return place.intensity[:, None, None, None] * seen


def write(
    patch: Float[Array, "B N N C"], place: Window, height: int, width: int
) -> Float[Array, "B H W C"]:
    """A patch written through a window: F_Y^T w F_X / intensity (equation 29)."""
    rows, columns = banks(place, patch.shape[1], height, width)
    written = jnp.einsum("bnh,bnmc,bmw->bhwc", rows, patch, columns)
    return written / place.intensity[:, None, None, None]
