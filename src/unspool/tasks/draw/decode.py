"""New images: latent vectors from the prior, drawn step by step; images as text."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...cells.init import random_key
from ...models.draw import Drawing, DrawModel

SHADES = " .:-=+*#%@"  # from black to white
LINE, GAP = 100, "  "  # characters of a line of images, and between two


def draw(model: DrawModel, labels: np.ndarray, seed: int) -> Drawing:
    """An image for each label (any number if the model has none), as it comes to be.

    Image number i follows from the seed, i and its label, however many are drawn.
    """
    return _draw(model, jnp.asarray(labels), random_key(seed, "drawing"))


@eqx.filter_jit
def _draw(model: DrawModel, labels: Array, key: Array) -> Drawing:
    def noise(number: Array) -> Float[Array, "T Z"]:
        shape = model.glimpses, model.latent_size
        return jax.random.normal(jax.random.fold_in(key, number), shape)

    return model.draw(jax.vmap(noise, out_axes=1)(jnp.arange(len(labels))), labels)


def text_art(images: Float[np.ndarray, "B H W C"]) -> str:
    """Images of 0 (black) to 1 side by side; a character is two rows high, as it is on screens."""
    grey = np.nan_to_num(np.asarray(images, np.float64)).mean(axis=-1)
    grey = np.pad(grey, ((0, 0), (0, grey.shape[1] % 2), (0, 0)))
    halves = grey.reshape(len(grey), -1, 2, grey.shape[2]).mean(axis=2)
    shades = np.clip(halves * len(SHADES), 0, len(SHADES) - 1).astype(int)
    across = max((LINE + len(GAP)) // (grey.shape[2] + len(GAP)), 1)
    blocks = []
    for begin in range(0, len(shades), across):
        rows = shades[begin : begin + across].swapaxes(0, 1)
        lines = (GAP.join("".join(SHADES[i] for i in part) for part in row) for row in rows)
        blocks.append("\n".join(line.rstrip() for line in lines))
    return "\n\n".join(blocks)
