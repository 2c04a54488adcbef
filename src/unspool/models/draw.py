"""DRAW: images drawn one piece at a time on a canvas that adds up.

Gregor, Danihelka, Graves, Rezende and Wierstra 2015, "DRAW: A recurrent neural network for image
generation", arXiv 1502.04623.
"""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells import Cell, State, cell_class, cell_name
from ..cells.base import check_sizes
from ..cells.init import embedding_table, random_key
from ..errors import ConfigError
from .draw_window import PARAMETERS, Window, read, window, write
from .glimpse import Linear

ATTENTIONS = ("selective", "none")


class Inference(NamedTuple):
    """An image drawn again: logits of its pixels, the terms of the bound, in nats an image, and
    `log_ratio` = ln p(z) - ln q(z | x) of the latent vectors that were drawn.

    `reconstruction` - `log_ratio` is -ln of the importance weight p(x, z) / q(z | x); its mean
    over z is the bound `reconstruction` + `kl`.
    """

    canvas: Float[Array, "B H W C"]
    reconstruction: Float[Array, "B"]
    kl: Float[Array, "B"]
    log_ratio: Float[Array, "B"]


class Drawing(NamedTuple):
    """Images as they come to be: the pixels' probabilities after every step, where the step
    wrote, and where an image would be read before it; no windows if attention is "none".
    """

    canvases: Float[Array, "T B H W C"]
    reads: Window | None  # of arrays (T, B)
    writes: Window | None


class DrawModel(eqx.Module):
    """T glimpses of an image x, and its canvas c_T, with an encoder and a decoder RNN:

        e_t   = x - sigmoid(c_{t-1})                               what is missing so far
        r_t   = read(x, e_t, h^dec_{t-1})                          N x N pixels of each
        h^enc_t = f_enc(h^enc_{t-1}, [r_t, h^dec_{t-1}])
        z_t   ~ Q(Z_t | h^enc_t) = Normal(W_m h^enc_t + b_m, exp(W_s h^enc_t + b_s)^2)
        h^dec_t = f_dec(h^dec_{t-1}, z_t)
        c_t   = c_{t-1} + write(h^dec_t)
        p(x | z_1..z_T) = Bernoulli(sigmoid(c_T))                  every pixel and channel

    The prior of z_t is a standard normal: to draw a new image is to run the last three lines. With
    `classes` the embedding of a label is an input of both RNNs at every step. With attention
    "selective" `read` and `write` go through the windows of `draw_window`, which W h^dec places;
    with "none" they take the whole image: [x, e_t], and W h^dec. First states and c_0 are learned.
    """

    kind: ClassVar[str] = "draw"

    encoder: Cell
    decoder: Cell
    posterior: Linear
    patch: Linear
    reader: Linear | None
    writer: Linear | None
    embedding: Float[Array, "K E"] | None
    states: tuple[State, State]
    bias_canvas: Float[Array, "H W C"]
    glimpses: int = eqx.field(static=True)
    read_size: int = eqx.field(static=True)
    write_size: int = eqx.field(static=True)

    @classmethod
    def create(
        cls,
        image_shape: tuple[int, int, int],
        *,
        glimpses: int = 10,
        read_size: int = 3,
        write_size: int = 5,
        attention: str = "selective",
        latent_size: int = 50,
        classes: int = 0,
        embedding_size: int = 32,
        cell: str = "lstm",
        hidden_size: int = 256,
        layer_norm: bool = False,
        seed: int = 0,
    ) -> "DrawModel":
        """Create a model for images (H, W, C), conditioned on labels if `classes` is not 0.

        `read_size` and `write_size` are N of the windows. Raises ConfigError where an argument
        breaks its rule.
        """
        sizes = {"read_size": read_size, "write_size": write_size, "latent_size": latent_size}
        check_sizes(glimpses=glimpses, hidden_size=hidden_size, **sizes)
        if attention not in ATTENTIONS:
            raise ConfigError(f"attention must be one of {', '.join(ATTENTIONS)}, got {attention}")
        height, width, channels = image_shape
        is_selective = attention == "selective"
        seen = 2 * channels * (read_size**2 if is_selective else height * width)
        written = channels * (write_size**2 if is_selective else height * width)
        create, keys = cell_class(cell).create, jax.random.split(random_key(seed), 7)
        extra = 0
        if classes:
            check_sizes(classes=classes, embedding_size=embedding_size)
            extra = embedding_size
        encoder = create(
            seen + hidden_size + extra, hidden_size, layer_norm=layer_norm, key=keys[0]
        )
        decoder = create(latent_size + extra, hidden_size, layer_norm=layer_norm, key=keys[1])
        return cls(
            encoder=encoder,
            decoder=decoder,
            posterior=Linear.create(hidden_size, 2 * latent_size, keys[2]),
            patch=Linear.create(hidden_size, written, keys[3]),
            reader=Linear.create(hidden_size, PARAMETERS, keys[4]) if is_selective else None,
            writer=Linear.create(hidden_size, PARAMETERS, keys[5]) if is_selective else None,
            embedding=embedding_table(keys[6], classes, embedding_size) if classes else None,
            states=(encoder.initial_state(1), decoder.initial_state(1)),
            bias_canvas=jnp.zeros((height, width, channels)),
            glimpses=glimpses,
            read_size=read_size,
            write_size=write_size,
        )

    @property
    def stepped_cells(self) -> tuple[Cell, ...]:
        """The cells whose next input depends on their state."""
        return (self.encoder, self.decoder)

    @property
    def classes(self) -> int:
        """The number of labels; 0 if images are drawn without."""
        return 0 if self.embedding is None else len(self.embedding)

    @property
    def latent_size(self) -> int:
        """Numbers of z_t."""
        return len(self.posterior.b) // 2

    def describe(self) -> dict[str, Any]:
        """The arguments of `create`, but for the seed."""
        return {
            "image_shape": list(self.bias_canvas.shape),
            "glimpses": self.glimpses,
            "read_size": self.read_size,
            "write_size": self.write_size,
            "attention": ATTENTIONS[self.writer is None],
            "latent_size": self.latent_size,
            "classes": self.classes,
            "embedding_size": 32 if self.embedding is None else self.embedding.shape[1],
            "cell": cell_name(self.encoder),
            "hidden_size": self.encoder.hidden_size,
            "layer_norm": self.encoder.norm is not None,  # type: ignore[attr-defined]
        }

    def noise(self, batch: int, key: PRNGKeyArray) -> Float[Array, "T B Z"]:
        """Standard normal numbers, of which latent vectors are made."""
        return jax.random.normal(key, (self.glimpses, batch, self.latent_size))

    def infer(
        self,
        images: Float[Array, "B H W C"],
        labels: Int[Array, "B"],
        noise: Float[Array, "T B Z"],
    ) -> Inference:
        """Draw images of zeros and ones again: z_t = mean + deviation x noise_t."""
        label = self._embedded(labels)

        def one_glimpse(carried: Any, noise: Array) -> tuple[Any, tuple[Array, Array]]:
            encoder, decoder, canvas = carried
            h = self.decoder.output(decoder)
            seen = self._read(images, images - jax.nn.sigmoid(canvas), h)
            encoder = _next(self.encoder, encoder, seen, h, *label)
            mean, log_std = jnp.split(self.posterior(self.encoder.output(encoder)), 2, axis=-1)
            z = mean + jnp.exp(log_std) * noise
            decoder = _next(self.decoder, decoder, z, *label)
            canvas = canvas + self._write(self.decoder.output(decoder))[0]
            kl = 0.5 * jnp.sum(mean**2 + jnp.exp(2 * log_std) - 1 - 2 * log_std, axis=-1)
            log_ratio = jnp.sum(0.5 * (noise**2 - z**2) + log_std, axis=-1)
            return (encoder, decoder, canvas), (kl, log_ratio)

        (_, _, canvas), terms = jax.lax.scan(one_glimpse, self._start(len(images)), noise)
        nats = jax.nn.softplus(canvas) - images * canvas  # -ln Bernoulli(x; sigmoid(canvas))
        return Inference(canvas, jnp.sum(nats, axis=(1, 2, 3)), *(x.sum(axis=0) for x in terms))

    def draw(self, noise: Float[Array, "T B Z"], labels: Int[Array, "B"]) -> Drawing:
        """New images, of latent vectors z_t that stand in `noise`."""
        label = self._embedded(labels)
        _, decoder, canvas = self._start(noise.shape[1])

        def one_step(carried: Any, z: Array) -> tuple[Any, Any]:
            decoder, canvas = carried
            reads = self._window(self.reader, self.decoder.output(decoder), self.read_size)
            decoder = _next(self.decoder, decoder, z, *label)
            written, writes = self._write(self.decoder.output(decoder))
            canvas = canvas + written
            return (decoder, canvas), (jax.nn.sigmoid(canvas), reads, writes)

        return Drawing(*jax.lax.scan(one_step, (decoder, canvas), noise)[1])

    def _start(self, batch: int) -> tuple[State, State, Array]:
        def widened(leaf: Array) -> Array:
            return jnp.broadcast_to(leaf, (batch, *leaf.shape[1:]))

        encoder, decoder = jax.tree.map(widened, self.states)
        return encoder, decoder, widened(self.bias_canvas[None])

    def _embedded(self, labels: Int[Array, "B"]) -> tuple[Array, ...]:
        """The vectors of the labels, if there are any."""
        return () if self.embedding is None else (self.embedding[labels],)

    def _window(self, placed: Linear | None, h: Array, size: int) -> Window | None:
        height, width, _ = self.bias_canvas.shape
        return None if placed is None else window(placed(h), height, width, size)

    def _read(self, images: Array, missing: Array, h: Array) -> Float[Array, "B R"]:
        both = jnp.concatenate([images, missing], axis=-1)
        place = self._window(self.reader, h, self.read_size)
        seen = both if place is None else read(both, place, self.read_size)
        return seen.reshape(len(seen), -1)

    def _write(self, h: Array) -> tuple[Float[Array, "B H W C"], Window | None]:
        height, width, channels = self.bias_canvas.shape
        place, patch = self._window(self.writer, h, self.write_size), self.patch(h)
        if place is None:
            return patch.reshape(-1, height, width, channels), None
        size = self.write_size
        return write(patch.reshape(-1, size, size, channels), place, height, width), place


def _next(cell: Cell, state: State, *inputs: Array) -> State:
    return cell.step(state, cell.project(jnp.concatenate(inputs, axis=-1)))
