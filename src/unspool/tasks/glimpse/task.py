"""Classify images after a few glimpses; where to look is learned from rewards."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ...cells.base import check_sizes
from ...data import LabelledData
from ...models.glimpse import GlimpseClassifier, Glimpses
from ...models.softmax import cross_entropy
from ...training.task import Loss
from ..label.task import ClassifyTask


class GlimpseTask(ClassifyTask):
    """Minimise -ln p(label) for one label per image, with REINFORCE for the places and the
    baseline's error.

    Every image of a batch appears `copies` times, with places sampled independently. The loss is
    the mean over all copies of the sum of `loss_terms`, weighted as a whole by class weights.
    Evaluation uses the mean places. The data's images are read as rows.
    """

    kind = "glimpse"

    def __init__(self, data: LabelledData, *, copies: int = 1, **options: Any) -> None:
        super().__init__(data, **options)
        check_sizes(copies=copies)
        self.copies = copies

    def describe(self) -> dict[str, Any]:
        """Describe the task as for every classifier, and the number of copies."""
        return {**super().describe(), "copies": self.copies}

    def loss(self, model: GlimpseClassifier, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return the mean over the batch's images and their copies."""
        inputs, targets, lengths = (jnp.repeat(x, self.copies, axis=0) for x in batch)
        terms = loss_terms(model.look(inputs, key), targets, model.std)
        return self._loss(sum(terms), terms[0], targets, lengths > 0, state)


def loss_terms(
    glimpses: Glimpses, targets: Any, std: float
) -> tuple[Float[Array, "B"], Float[Array, "B"], Float[Array, "B"]]:
    """Return -ln p(label), and the means over t of -(R - b_t) ln p(l_t | m_t) and of (R - b_t)^2.

    R is 1 if the likeliest label is right, else 0; t runs from 2 to T, as the first place is not
    chosen. In the second term R - b_t is a constant, so that its gradient is an unbiased estimate
    of that of -E[R] / (T - 1) with respect to the location network (Williams 1992); b_t, which has
    not seen l_t, only reduces variance.
    """
    reward = (jnp.argmax(glimpses.logits, axis=-1) == targets).astype(jnp.float32)
    advantage = reward - glimpses.baselines[1:]
    deviation = (glimpses.locations[1:] - glimpses.means[1:]) / std
    log_p = -0.5 * jnp.sum(deviation**2, axis=-1)  # up to a constant
    chosen = max(len(advantage), 1)  # with one glimpse there is nothing to choose
    reinforce = -jnp.sum(jax.lax.stop_gradient(advantage) * log_p, axis=0) / chosen
    error = jnp.sum(advantage**2, axis=0) / chosen
    return cross_entropy(glimpses.logits, targets), reinforce, error
