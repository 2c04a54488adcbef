"""Recurrent attention: a network that sees an image in a few glimpses and then classifies it.

Mnih, Heess, Graves and Kavukcuoglu 2014, "Recurrent models of visual attention",
arXiv 1406.6247.
"""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells import Cell, CreateCell, cell_factory, cell_name
from ..cells.base import check_sizes
from ..cells.init import random_key, uniform
from ..errors import ConfigError
from ..unroll import check_rates, locked_dropout


class Linear(eqx.Module):
    """x W^T + b."""

    w: Float[Array, "O I"]
    b: Float[Array, "O"]

    @classmethod
    def create(cls, inputs: int, outputs: int, key: PRNGKeyArray) -> "Linear":
        """Initialise with uniform weights in +-1/sqrt(I) and zero bias."""
        return cls(uniform(key, (outputs, inputs), inputs), jnp.zeros(outputs))

    def __call__(self, x: Float[Array, "*N I"]) -> Float[Array, "*N O"]:
        return x @ self.w.T + self.b


class Glimpses(NamedTuple):
    """The results of T glimpses. All positions are (y, x) in -1 (upper, left edge) to 1.

    `means` are the location network's, `locations` the sampled places, before they are clipped to
    the image; `baselines[t]` predicts the reward from what was seen before glimpse t.
    """

    logits: Float[Array, "B C"]
    means: Float[Array, "T B 2"]
    locations: Float[Array, "T B 2"]
    baselines: Float[Array, "T B"]


class GlimpseClassifier(eqx.Module):
    """T glimpses of an image, each at a place chosen by the state so far:

        m_1     = 0, the centre;  m_{t+1} = tanh(W_m h_t + b_m)         location network
        l_t     ~ Normal(m_t, std^2); with no key l_t = m_t
        r_t     = `glimpse`(image, l_t), `scales` x patch x patch       sensor
        g_t     = relu(W_1 relu(W_r r_t + b_r) + W_2 relu(W_l l_t + b_l) + b_g)   glimpse network
        h_t     = f_W(h_{t-1}, g_t)                                     core: any cell
        p(label | image) = softmax(W_out h_T + b_out)
        b_{t+1} = W_b h_t + b_b                                         baseline

    The sampled places carry no gradient, and neither do the inputs of the location network and the
    baseline: `GlimpseTask` trains the location network by REINFORCE alone, and REINFORCE, whose
    noise would drown the gradient of the cross-entropy, trains nothing else.
    """

    kind: ClassVar[str] = "glimpse"

    what: Linear
    where: Linear
    from_what: Linear
    from_where: Float[Array, "G E"]
    core: Cell
    locator: Linear
    baseline: Linear
    output: Linear
    image_shape: tuple[int, int, int] = eqx.field(static=True)
    glimpses: int = eqx.field(static=True)
    patch: int = eqx.field(static=True)
    scales: int = eqx.field(static=True)
    std: float = eqx.field(static=True)
    dropout: float = eqx.field(static=True)

    @classmethod
    def create(
        cls,
        classes: int,
        image_shape: tuple[int, int, int],
        *,
        glimpses: int = 6,
        patch: int = 4,
        scales: int = 2,
        std: float = 0.15,
        cell: str | CreateCell = "gru",
        hidden_size: int = 128,
        glimpse_size: int = 128,
        layer_norm: bool = False,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> "GlimpseClassifier":
        """Create a model for images (H, W, C); `std` is the standard deviation of sampled places.

        `dropout` acts on g_t, with one mask for all steps, and on h_T. Raises ConfigError if an
        argument is invalid.
        """
        sizes = {"hidden_size": hidden_size, "glimpse_size": glimpse_size, "classes": classes}
        check_sizes(glimpses=glimpses, patch=patch, scales=scales, **sizes)
        check_rates(dropout=dropout)
        create = cell_factory(cell)
        if not std > 0:
            raise ConfigError(f"std must be above 0, got {std}: places could not be learned")
        keys = jax.random.split(random_key(seed), 8)
        return cls(
            what=Linear.create(scales * patch**2 * image_shape[2], glimpse_size, keys[0]),
            where=Linear.create(2, glimpse_size, keys[1]),
            from_what=Linear.create(glimpse_size, 2 * glimpse_size, keys[2]),
            from_where=uniform(keys[3], (2 * glimpse_size, glimpse_size), glimpse_size),
            core=create(2 * glimpse_size, hidden_size, layer_norm=layer_norm, key=keys[4]),
            locator=Linear.create(hidden_size, 2, keys[5]),
            baseline=Linear.create(hidden_size, 1, keys[6]),
            output=Linear.create(hidden_size, classes, keys[7]),
            image_shape=(image_shape[0], image_shape[1], image_shape[2]),
            glimpses=glimpses,
            patch=patch,
            scales=scales,
            std=std,
            dropout=dropout,
        )

    @property
    def stepped_cells(self) -> tuple[Cell, ...]:
        """Return the cells whose next input depends on their state."""
        return (self.core,)

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the seed."""
        return {
            "classes": len(self.output.b),
            "image_shape": list(self.image_shape),
            "glimpses": self.glimpses,
            "patch": self.patch,
            "scales": self.scales,
            "std": self.std,
            "cell": cell_name(self.core),
            "hidden_size": self.core.hidden_size,
            "glimpse_size": len(self.what.b),
            "layer_norm": self.core.has_layer_norm,
            "dropout": self.dropout,
        }

    def __call__(
        self,
        inputs: Float[Array, "B H W*C"],
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "B C"]:
        """Return logits of the classes; without a `key` at the mean places, so deterministic."""
        return self.look(inputs, key).logits

    def look(self, inputs: Float[Array, "B H W*C"], key: PRNGKeyArray | None = None) -> Glimpses:
        """Return all glimpses; with a `key` places are sampled and dropout acts."""
        images = inputs.reshape(-1, *self.image_shape)
        k_noise, k_glimpse, k_last = (None,) * 3 if key is None else jax.random.split(key, 3)
        shape = (self.glimpses, len(images), 2)
        noise = jnp.zeros(shape) if k_noise is None else jax.random.normal(k_noise, shape)
        ones = jnp.ones((1, len(images), len(self.from_what.b)))
        mask = locked_dropout(ones, self.dropout, k_glimpse)[0]

        def one_glimpse(carried: tuple[Any, Array], noise: Array) -> tuple[Any, Any]:
            state, mean = carried
            location = jax.lax.stop_gradient(mean + self.std * noise)
            x = self._glimpse_vector(images, jnp.clip(location, -1, 1)) * mask
            h = self.core.output(state)
            reward = self.baseline(jax.lax.stop_gradient(h))[:, 0]
            state = self.core.step(state, self.core.project(x))
            following = jnp.tanh(self.locator(jax.lax.stop_gradient(self.core.output(state))))
            return (state, following), (mean, location, reward)

        start = self.core.initial_state(len(images)), jnp.zeros(shape[1:])
        (state, _), steps = jax.lax.scan(one_glimpse, start, noise)
        last = locked_dropout(self.core.output(state)[None], self.dropout, k_last)[0]
        return Glimpses(self.output(last), *steps)

    def seen(self, inputs: Float[Array, "B H W*C"]) -> Float[Array, "T B G"]:
        """Return g_t of all glimpses at the mean places: the input of the core."""
        images = inputs.reshape(-1, *self.image_shape)
        locations = jnp.clip(self.look(inputs).locations, -1, 1)
        return jnp.stack([self._glimpse_vector(images, location) for location in locations])

    def _glimpse_vector(self, images: Array, location: Array) -> Float[Array, "B G"]:
        seen = glimpse(images, location, self.patch, self.scales)
        what = jax.nn.relu(self.what(seen.reshape(len(images), -1)))
        where = jax.nn.relu(self.where(location))
        return jax.nn.relu(self.from_what(what) + where @ self.from_where.T)


def glimpse(
    images: Float[Array, "B H W C"], location: Float[Array, "B 2"], patch: int, scales: int
) -> Float[Array, "B S P P C"]:
    """Return the retina: squares around `location`, patch 2^k pixels wide for k = 0..scales-1, each
    reduced to patch x patch by taking means.

    `location` is (y, x), from -1 (upper, left edge) to 1, and need not be on a pixel's border.
    Outside the image everything is zero.
    """
    _, height, width, _ = images.shape
    seen = []
    for scale in range(scales):
        rows = _shares(location[:, 0], height, patch, 2**scale)
        columns = _shares(location[:, 1], width, patch, 2**scale)
        seen.append(jnp.einsum("bph,bhwc,bqw->bpqc", rows, images, columns))
    return jnp.stack(seen, axis=1)


def _shares(
    centre: Float[Array, "B"], size: int, patch: int, cell: int
) -> Float[Array, "B P size"]:
    """Return how much of each of `patch` cells, `cell` pixels wide, each pixel of an axis
    covers.
    """
    middle = (centre + 1) * size / 2
    begin = middle[:, None, None] + cell * (jnp.arange(patch)[:, None] - patch / 2)
    pixel = jnp.arange(size)
    overlap = jnp.minimum(begin + cell, pixel + 1) - jnp.maximum(begin, pixel)
    return jnp.maximum(overlap, 0) / cell
