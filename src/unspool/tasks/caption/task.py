"""Captions: predict every word of a caption, and its END, from a picture's features."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ...data import (
    Buckets,
    CaptionBatch,
    CaptionData,
    CaptionPart,
    in_order_of_length,
)
from ...models.captioner import Captioner
from ...models.decoder import shifted
from ...models.softmax import smoothed_nats
from ...training.task import Evaluation, Loss, weighted_mean, weighted_sum
from .decode import describe
from .self_critical import SAMPLED, Reward, RewardBatch, self_critical_loss

LONGEST = 0.95  # sampled captions are cut at the length by which this share of true ones has ended
SAMPLES = 4  # held-out pictures to describe at every evaluation


class CaptionTask:
    """Minimise the mean of -ln p(y_t | picture, y_1..y_{t-1}) over all tokens of a batch of
    captions.

    With attention, `doubly_stochastic` times sum_s (1 - sum_t alpha_ts)^2 is added to the sum of a
    caption's -ln p, so that all places get about the same attention (lambda of Xu et al. 2015,
    arXiv 1502.03044); all is divided by the batch's tokens.

    From batch number `reward_after` on, captions are sampled from the model and become more likely
    the better they score (see `self_critical_loss`); the loss is then minus their mean reward, and
    the best weights are those with the highest reward on the held-out pictures.
    """

    def __init__(
        self,
        data: CaptionData,
        *,
        batch: int = 64,
        label_smoothing: float = 0.0,
        doubly_stochastic: float = 0.0,
        reward_after: int | None = None,
        seed: int = 0,
    ) -> None:
        self.data, self.label_smoothing = data, label_smoothing
        self.doubly_stochastic = doubly_stochastic
        self.buckets = Buckets(data.train.captions.lengths, batch, seed)
        tokens = int(data.train.captions.lengths.sum())
        self.tokens_per_batch = round(tokens / self.buckets.per_epoch)
        self.reward_after = reward_after
        if reward_after is not None:
            ones = np.ones(len(data.train.names), np.int32)
            self.pictures = Buckets(ones, -(-self.buckets.batch // SAMPLED), seed)
            self.rewards = [Reward(part, data.sentences) for part in (data.train, data.val)]
            self.most = int(np.quantile(data.train.captions.lengths, LONGEST))

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes on sizes and what was left out."""
        lengths = ", ".join(map(str, self.buckets.bounds))
        return (*self.data.notes, f"captions are padded to one of these lengths: {lengths}")

    def describe(self) -> dict[str, Any]:
        """Describe the data and how it is batched."""
        return {
            "kind": "caption",
            "tokens": self.data.sentences.vocab.kind,
            "vocabulary": self.data.sentences.vocab.fingerprint(),
            "data_sha256": self.data.fingerprint(),
            "preparation": self.data.preparation,
            "plain": self.data.plain,
            "train_captions": len(self.data.train.captions.lengths),
            "val_captions": len(self.data.val.captions.lengths),
            "label_smoothing": self.label_smoothing,
            "doubly_stochastic": self.doubly_stochastic,
            "rewards": self.reward_after is not None,
            "reward_after": self.reward_after,
            "batch": self.buckets.batch,
            "seed": self.buckets.seed,
        }

    def save(self, directory: Path) -> None:
        """Write the vocabulary."""
        self.data.sentences.vocab.save(directory)

    def initial_state(self, model: Any) -> Any:
        """Return an empty state: nothing is carried between captions."""
        return ()

    def batch(self, position: int) -> CaptionBatch | RewardBatch:
        """Return batch number `position`."""
        if self.reward_after is None or position < self.reward_after:
            return self.data.train.padded(*self.buckets.rows(position))
        rows, _ = self.pictures.rows(position - self.reward_after)
        pictures = np.maximum(rows, 0)
        return RewardBatch(self.data.train.features[pictures], pictures, rows >= 0)

    def loss(self, model: Captioner, batch: Any, state: Any, key: PRNGKeyArray) -> Loss:
        """Return the mean over the batch's tokens, with the attention penalty; or minus the mean
        reward.
        """
        if isinstance(batch, RewardBatch):
            found = self_critical_loss(model, batch, key, self.rewards[0], self.most)
            return Loss(found, None, state)
        start = self.data.sentences.end
        smoothed, nats, real, weights = _nats(model, batch, start, key, self.label_smoothing)
        objective = weighted_mean(smoothed, real)
        if weights is not None:
            objective += self.doubly_stochastic * _unevenness(weights, real) / jnp.sum(real)
        return Loss(objective, weighted_mean(nats, real), state)

    def evaluate(self, model: Captioner) -> Evaluation:
        """Measure the loss of held-out captions, unsmoothed, and the mean reward of greedy ones."""
        found = evaluate_captioner(model, self.data.val, self.data.sentences.end)
        if self.reward_after is None:
            return found
        made = describe(model, self.data.sentences, self.data.val.features, num_beams=1)
        rewards = [
            self.rewards[1].of(picture, best.ids, best.finished)
            for picture, (best,) in enumerate(made)
        ]
        metrics = {"reward": float(np.mean(rewards))}
        return replace(found, metrics=metrics, best_by="reward")

    def sample(self, model: Captioner, seed: int) -> str | None:
        """Caption some held-out pictures."""
        part = self.data.val
        found = describe(model, self.data.sentences, part.features[:SAMPLES], num_beams=1)
        rows = zip(part.names, part.texts, found, strict=False)
        return "\n".join(f"{name}: {texts[0]}\n -> {y.text}" for name, texts, (y,) in rows)


def evaluate_captioner(model: Captioner, part: CaptionPart, start: int) -> Evaluation:
    """Measure the loss per token, END included."""
    total = 0.0
    for rows, steps in in_order_of_length(part.captions.lengths, 64):
        total += float(_evaluate(model, part.padded(rows, steps), start))
    tokens = int(part.captions.lengths.sum())
    return Evaluation(loss_nats=total / tokens, tokens=tokens)


def _nats(
    model: Captioner,
    batch: Any,
    start: Any,
    key: PRNGKeyArray | None = None,
    label_smoothing: float = 0.0,
) -> tuple[
    Float[Array, "B T"], Float[Array, "B T"], Bool[Array, "B T"], Float[Array, "B T S"] | None
]:
    """Return the losses of a batch's tokens, smoothed and unsmoothed, which are real tokens, and
    the attention weights before each.
    """
    given = shifted(batch.captions, start)
    readouts, weights = model(batch.features, given, batch.lengths, key)
    smoothed, nats = smoothed_nats(model, readouts, batch.captions, label_smoothing)
    real = jnp.arange(nats.shape[1]) < batch.lengths[:, None]
    return smoothed, nats, real, weights


def _unevenness(weights: Float[Array, "B T S"], real: Bool[Array, "B T"]) -> Float[Array, ""]:
    """Return sum_s (1 - sum_t alpha_ts)^2, summed over the captions."""
    seen = weighted_sum(weights, real[..., None], axis=1)
    return weighted_sum(jnp.sum((1 - seen) ** 2, axis=1), jnp.any(real, axis=1))


@eqx.filter_jit
def _evaluate(model: Captioner, batch: Any, start: Any) -> Float[Array, ""]:
    _, nats, real, _ = _nats(model, batch, start)
    return weighted_sum(nats, real)
