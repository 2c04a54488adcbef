"""A small CNN for pictures of 32 to 64 pixels, quick to train from scratch on a CPU."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from ..cells.init import random_key
from ..cells.norm import normalise
from ..errors import ConfigError
from .conv import Conv


class SmallCNN(eqx.Module):
    """Convolutions of 3x3 with stride 2, each with layer norm and ReLU:

        x_0     = (picture - 127) / 128, and each pixel's (y, x) in -1 to 1 as two more channels
        x_{l+1} = relu(gain_l normalise(W_l * x_l + b_l) + shift_l)   over the channels of a place

    Without the two channels (Liu et al. 2018, "CoordConv", arXiv 1807.03247) the mean over all
    places would forget where things were. Strides instead of pooling: Springenberg et al. 2014,
    arXiv 1412.6806. `grid` (B, ceil(H / 2^L), ceil(W / 2^L), F) is the last layer, `pooled` (B, F)
    its mean.
    """

    convs: tuple[Conv, ...]
    gains: tuple[Float[Array, "O"], ...]
    shifts: tuple[Float[Array, "O"], ...]

    @classmethod
    def create(cls, channels: tuple[int, ...] = (32, 64, 128), *, seed: int = 0) -> "SmallCNN":
        """Create a network with one layer for each number of channels; F is the last of them.

        Raises ConfigError if there are none or one is below 1.
        """
        if not channels or min(channels) < 1:
            raise ConfigError(f"channels must be numbers from 1 up, got {channels}")
        keys = jax.random.split(random_key(seed, "cnn"), len(channels))
        sizes = zip((5, *channels), channels, keys, strict=False)
        return cls(
            tuple(Conv.create(i, o, key, kernel=3, stride=2) for i, o, key in sizes),
            tuple(jnp.ones(o) for o in channels),
            tuple(jnp.zeros(o) for o in channels),
        )

    @property
    def feature_size(self) -> int:
        """Return the number of features per cell of the grid."""
        return self.convs[-1].b.shape[0]

    def features(
        self, pictures: Real[Array, "B H W 3"], layer: Literal["pooled", "grid"] = "pooled"
    ) -> Float[Array, "B *grid F"]:
        """Return features of pictures with values 0 to 255; H and W may be any size."""
        x = (jnp.asarray(pictures, jnp.float32) - 127) / 128
        x = jnp.concatenate([x, _places(*x.shape[:3])], axis=-1)
        for conv, gain, shift in zip(self.convs, self.gains, self.shifts, strict=True):
            x = jax.nn.relu(gain * normalise(conv(x)) + shift)
        return x if layer == "grid" else jnp.mean(x, axis=(1, 2))


def _places(batch: int, height: int, width: int) -> Float[Array, "B H W 2"]:
    y, x = jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width)
    places = jnp.stack(jnp.meshgrid(y, x, indexing="ij"), axis=-1)
    return jnp.broadcast_to(places, (batch, height, width, 2))
