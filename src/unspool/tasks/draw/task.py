"""Images to be drawn: the variational bound of DRAW, and -ln p(x) by importance weighting."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...cells.init import random_key
from ...data import GreyEncoder, LabelledData, Sequences, binarised, in_order_of_length
from ...models.draw import DrawModel
from ...training.task import Evaluation, Loss, weighted_mean
from ..label.task import LabelledTask
from .decode import draw, text_art

EVALUATION_SEED = 0  # of the zeros and ones of images, and of latent vectors
EVALUATION_BATCH = 128
SAMPLES = 4  # drawn at every evaluation


class DrawTask(LabelledTask):
    """The bound L_x + L_z in nats an image, which is above -ln p(x):

        L_x = -ln p(x | z_1..z_T)      L_z = sum_t KL(Q(Z_t | h^enc_t) || Normal(0, 1))

    Pixels are probabilities: a training step draws zeros and ones anew (Salakhutdinov and Murray
    2008), an evaluation always the same. The data's encoder is a `GreyEncoder`.
    """

    kind = "draw"

    def __init__(self, data: LabelledData, *, batch: int = 64, seed: int = 0) -> None:
        super().__init__(data, batch=batch, seed=seed)
        self.tokens_per_batch = self.buckets.batch  # images
        assert isinstance(data.encoder, GreyEncoder)
        self.shape = data.encoder.shape

    @property
    def notes(self) -> tuple[str, ...]:
        """Sizes, and what is said of the data."""
        return self.data.notes

    def loss(self, model: DrawModel, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Mean over the batch's images."""
        k_pixels, k_latent = jax.random.split(key)
        probabilities = jnp.asarray(batch.inputs).reshape(-1, *self.shape)
        images = jax.random.bernoulli(k_pixels, probabilities).astype(jnp.float32)
        found = model.infer(images, batch.targets, model.noise(len(images), k_latent))
        nats = weighted_mean(found.reconstruction + found.kl, batch.lengths > 0)
        return Loss(nats, nats, state)

    def evaluate(self, model: DrawModel) -> Evaluation:
        """The bound of the held-out part."""
        return evaluate_drawing(model, self.data.val, self.shape)

    def sample(self, model: DrawModel, seed: int) -> str | None:
        """A few images as text, of the first labels if there are any."""
        labels = np.arange(SAMPLES) % max(model.classes, 1)
        return text_art(np.asarray(draw(model, labels, seed).canvases[-1]))


def evaluate_drawing(
    model: DrawModel,
    sequences: Sequences,
    shape: tuple[int, int, int],
    importance_samples: int = 0,
) -> Evaluation:
    """The bound and its two terms, with one draw of z an image; with `importance_samples` K also

        nll_nats = the mean of -ln 1/K sum_k p(x, z_k) / q(z_k | x),     z_k ~ q(z | x)

    which is above the mean of -ln p(x) and comes down to it with K (Burda, Grosse and
    Salakhutdinov 2016, arXiv 1509.00519). Standard errors are over images.
    """
    terms = np.concatenate(list(_bounds(model, sequences, shape))).astype(np.float64)
    bounds = terms.sum(axis=1)
    metrics = {
        "reconstruction_nats": float(terms[:, 0].mean()),
        "kl_nats": float(terms[:, 1].mean()),
        "standard_error": _standard_error(bounds),
    }
    if importance_samples:
        weighted = np.concatenate(
            list(_importance_weighted(model, sequences, shape, importance_samples))
        )
        metrics["nll_nats"] = float(weighted.mean(dtype=np.float64))
        metrics["nll_standard_error"] = _standard_error(weighted)
    return Evaluation(float(bounds.mean()), len(bounds), metrics=metrics, unit="image")


def _standard_error(values: np.ndarray) -> float:
    """Of the mean; 0 for a single value, of which nothing is known."""
    return (
        float(values.std(ddof=1, dtype=np.float64) / len(values) ** 0.5) if len(values) > 1 else 0.0
    )


def _bounds(model: DrawModel, sequences: Sequences, shape: Any) -> Iterator[np.ndarray]:
    """The two terms of the bound of every image, (N, 2)."""
    for images, labels, key, count in _batches(sequences, shape):
        yield np.stack(_terms(model, images, labels, key), axis=1)[:count]


def _importance_weighted(
    model: DrawModel, sequences: Sequences, shape: Any, samples: int
) -> Iterator[np.ndarray]:
    """-ln of the mean of `samples` importance weights, for every image."""
    for images, labels, key, count in _batches(sequences, shape):
        keys = jax.random.split(key, samples)
        yield np.asarray(_negative_log_mean(model, images, labels, keys))[:count]


def _batches(sequences: Sequences, shape: Any) -> Iterator[tuple[Any, Any, Any, int]]:
    """Images of zeros and ones, their labels, a key, and how many are not there to fill up."""
    fixed = sequences._replace(values=binarised(sequences.values, EVALUATION_SEED))
    root = random_key(EVALUATION_SEED, "evaluation")
    for number, (rows, steps) in enumerate(in_order_of_length(fixed.lengths, EVALUATION_BATCH)):
        batch = fixed.padded(rows, steps)
        images = batch.inputs.reshape(-1, *shape)
        yield images, batch.targets, jax.random.fold_in(root, number), int(np.sum(rows >= 0))


@eqx.filter_jit
def _terms(model: DrawModel, images: Any, labels: Any, key: Any) -> tuple[Array, Array]:
    found = model.infer(images, labels, model.noise(len(images), key))
    return found.reconstruction, found.kl


@eqx.filter_jit
def _negative_log_mean(model: DrawModel, images: Any, labels: Any, keys: Any) -> Float[Array, "B"]:
    weights = jax.lax.map(partial(_log_weight, model, images, labels), keys)
    return jnp.log(len(keys)) - jax.nn.logsumexp(weights, axis=0)


def _log_weight(model: DrawModel, images: Any, labels: Any, key: Any) -> Float[Array, "B"]:
    """ln p(x, z) / q(z | x) of one draw."""
    found = model.infer(images, labels, model.noise(len(images), key))
    return found.log_ratio - found.reconstruction
