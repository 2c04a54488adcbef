"""Captioners: a decoder conditioned on a picture's features (one to many)."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Real

from ..cells import Cell
from ..cells.base import check_sizes
from ..cells.init import random_key, uniform
from ..errors import ConfigError
from ..products import affine
from ..unroll import check_rates
from ..vision.efficientnet import EfficientNetLite0
from ..vision.small import SmallCNN
from .decoder import FIRST, Condition, Decoder

CNN = EfficientNetLite0 | SmallCNN
CNNS: dict[str, type[CNN]] = {"efficientnet": EfficientNetLite0, "small": SmallCNN}
WAYS = {"every": "none", "first": FIRST, "attention": "bahdanau"}  # to the decoder's names


class Captioner(eqx.Module):
    """p(caption | picture): a `Decoder` conditioned on a picture's features.

    v = W_v f + b_v, for a vector f per picture or for each of S places of a grid. How the decoder
    uses it is its way. "every": v is added at every step,

        h_t = f(W_xh x_t + W_hh h_{t-1} + W_ih v)

    (Donahue et al. 2015, arXiv 1411.4389; Karpathy and Fei-Fei 2015, arXiv 1412.2306, add it at the
    first step only), and every readout sees it too (as the multimodal layer of Mao et al. 2015,
    arXiv 1412.6632). "first": v is the first input (Show and Tell, Vinyals et al. 2015, arXiv
    1411.4555). "attention": the decoder attends to the places of the grid (Show, Attend and Tell,
    Xu et al. 2015, arXiv 1502.03044); its first state comes from their mean. `dropout_features`
    acts on f if a `key` is given.

    With its own `cnn` the captioner takes pixels (B, P, P, 3), 0 to 255, and f is the CNN's last
    layer. Its weights are kept divided by `cnn_scale`: Adam, whose steps have a fixed size, then
    changes them by that much less, so that pretrained weights are tuned and not forgotten.
    """

    kind: ClassVar[str] = "captioner"

    w_features: Float[Array, "D F"]
    b_features: Float[Array, "D"]
    decoder: Decoder
    cnn: CNN | None = None
    cnn_scale: float = eqx.field(static=True, default=1.0)
    dropout_features: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_rates(dropout_features=self.dropout_features)

    @classmethod
    def create(
        cls,
        vocab_size: int,
        feature_size: int | None = None,
        *,
        way: str = "attention",
        cnn: str | None = None,
        cnn_scale: float = 1.0,
        condition_size: int = 256,
        dropout_features: float = 0.0,
        seed: int = 0,
        **options: Any,
    ) -> "Captioner":
        """Create a captioner of features of `feature_size` numbers, or with a new `cnn`
        ("efficientnet" or "small") of pixels; `options` are those of `Decoder.create`. A way that
        takes a vector uses the mean of a grid, or, if `feature_size` is S * F, the whole grid
        flattened.

        Raises ConfigError if an argument is invalid.
        """
        if way not in WAYS:
            raise ConfigError(f"way must be one of {', '.join(WAYS)}, got {way!r}")
        network = None if cnn is None else create_cnn(cnn, seed)
        feature_size = feature_size or (0 if network is None else network.feature_size)
        check_sizes(feature_size=feature_size, condition_size=condition_size)
        k_features, k_decoder = jax.random.split(random_key(seed))
        return cls(
            cnn=network,
            cnn_scale=cnn_scale,
            w_features=uniform(k_features, (condition_size, feature_size), feature_size),
            b_features=jnp.zeros(condition_size),
            decoder=Decoder.create(
                vocab_size, condition_size, attention=WAYS[way], **options, key=k_decoder
            ),
            dropout_features=dropout_features,
        )

    @property
    def vocab_size(self) -> int:
        """Return the size of the vocabulary."""
        return self.decoder.vocab_size

    @property
    def way(self) -> str:
        """Return how the picture enters the decoder."""
        attention = self.decoder.describe()["attention"]
        return next(way for way, name in WAYS.items() if name == attention)

    @property
    def stepped_cells(self) -> tuple[Cell, ...]:
        """Return the cells whose next input depends on their state."""
        return self.decoder.stepped_cells

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the seed."""
        described = self.decoder.describe()
        del described["attention"]
        return {
            "vocab_size": self.vocab_size,
            "feature_size": self.w_features.shape[1],
            "cnn": next((name for name, kind in CNNS.items() if isinstance(self.cnn, kind)), None),
            "cnn_scale": self.cnn_scale,
            "condition_size": self.w_features.shape[0],
            "way": self.way,
            "dropout_features": self.dropout_features,
            **described,
        }

    def with_cnn(self, cnn: CNN) -> "Captioner":
        """Return the captioner with these weights of a CNN, such as pretrained ones."""
        divided = jax.tree.map(lambda w: w / self.cnn_scale, cnn)
        return eqx.tree_at(lambda model: model.cnn, self, divided)

    def see(self, pictures: Real[Array, "B P P 3"]) -> Float[Array, "B Y X F"]:
        """Compute the features of pixels."""
        assert self.cnn is not None
        cnn = jax.tree.map(lambda w: w * self.cnn_scale, self.cnn)
        return cnn.features(pictures, "grid")

    def condition(
        self,
        features: Float[Array, "B *grid F"] | Real[Array, "B P P 3"],
        key: PRNGKeyArray | None = None,
    ) -> Condition:
        """Build the decoder's condition."""
        features = features if self.cnn is None else self.see(features)
        features = features.astype(self.w_features.dtype)  # kept in half precision
        if features.ndim == 4:
            features = features.reshape(len(features), -1, features.shape[-1])
        attention = self.decoder.attention
        if features.ndim == 3 and attention is None:
            is_whole = features[0].size == self.w_features.shape[1]
            features = features.reshape(len(features), -1) if is_whole else features.mean(axis=1)
        if features.ndim == 2 and attention is not None:
            features = features[:, None]  # one place
        if key is not None and self.dropout_features:
            keep = 1 - self.dropout_features
            features *= jax.random.bernoulli(key, keep, features.shape) / keep
        v = affine(features, self.w_features, self.b_features)
        if attention is None:
            return Condition(v, None)
        places = jnp.full(len(v), v.shape[1], jnp.int32)
        return Condition(v.mean(axis=1), attention.remember(v, places))

    def __call__(
        self,
        features: Float[Array, "B *grid F"] | Real[Array, "B P P 3"],
        tokens: Int[Array, "B T"],
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "B T E"], Float[Array, "B T S"] | None]:
        """Return readouts after START and each token of a caption, and the attention weights."""
        k_features, k_decoder = (None, None) if key is None else jax.random.split(key)
        return self.decoder.read(tokens, self.condition(features, k_features), lengths, k_decoder)

    def logits(self, readouts: Float[Array, "*N E"]) -> Float[Array, "*N V"]:
        """Return scores of the next token."""
        return self.decoder.logits(readouts)


def create_cnn(name: str, seed: int = 0) -> CNN:
    """Create a CNN with random weights. Raises ConfigError if the name is unknown."""
    if name == "efficientnet":
        return EfficientNetLite0.create(seed=seed, classes=0)
    if name == "small":
        return SmallCNN.create(seed=seed)
    raise ConfigError(f"cnn must be one of {', '.join(CNNS)}, got {name!r}")
