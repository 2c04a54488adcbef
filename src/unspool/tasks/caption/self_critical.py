"""Train captions on their scores: self-critical sequence training."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ...data import CaptionPart, Sentences
from ...decoding import without_unknown
from ...decoding.hypotheses import ConditionStepper
from ...models.captioner import Captioner
from ...models.decoder import Condition, Decoder, shifted
from ...models.softmax import token_nats
from ...training.task import weighted_sum
from .metrics import CiderD, bleu, caption_words

SAMPLED = 5  # sampled captions per picture
END = "\n"  # a word for CIDEr-D: captions that break off must score less
CIDER, BLEU = 0.5, 2.0  # weights in a reward


class RewardBatch(NamedTuple):
    """Features of P pictures, their numbers, and which rows are real pictures."""

    features: np.ndarray
    pictures: np.ndarray
    is_real: np.ndarray


class Reward:
    """The reward of a caption against its picture's references: 0.5 CIDEr-D (with END as a word) +
    2 times the mean of BLEU-1 to BLEU-4. CIDEr-D's word weights come from all pictures given.
    """

    def __init__(self, part: CaptionPart, sentences: Sentences) -> None:
        self.sentences = sentences
        self.references = [[caption_words(text) for text in texts] for texts in part.texts]
        self.cider = CiderD([[[*words, END] for words in row] for row in self.references])

    def of(self, picture: int, ids: np.ndarray, is_finished: bool) -> float:
        """Return the reward of a caption's ids, without END."""
        words = caption_words(self.sentences.decode(ids))
        cider = self.cider.score([*words, END] if is_finished else words, picture)
        return CIDER * cider + BLEU * float(np.mean(bleu([words], [self.references[picture]])))

    def __call__(
        self, pictures: Int[np.ndarray, "R"], ids: Int[np.ndarray, "R T"]
    ) -> Float[np.ndarray, "R"]:
        """Return the rewards of many captions; END and anything after it may follow the ids."""
        end = self.sentences.end
        lengths = _lengths(np, ids, end)
        rows = zip(pictures.tolist(), np.asarray(ids), lengths.tolist(), strict=True)
        return np.array(
            [
                self.of(picture, row[:n][row[:n] != end], row[n - 1] == end)
                for picture, row, n in rows
            ],
            np.float32,
        )


def self_critical_loss(
    model: Captioner,
    batch: Any,
    key: PRNGKeyArray,
    reward: Reward,
    most: int,
) -> Float[Array, ""]:
    """Return minus the mean reward of captions sampled from the model, with the gradient of

        mean over captions of (r_k - b_k) sum_t -ln p(y_kt | picture, y_k1..y_k(t-1))

    K captions y_k are sampled for each picture; r_k is a caption's reward and b_k the mean of the
    other K - 1 (Rennie et al. 2017, arXiv 1612.00563; Luo 2020, arXiv 2003.09971). That gradient
    is an unbiased estimate of minus that of the mean reward. Captions are cut after `most` tokens.
    """
    sentences = reward.sentences
    decoder = without_unknown(model.decoder, sentences.vocab)
    condition = model.condition(batch.features)
    tokens = jax.lax.stop_gradient(sample_captions(decoder, condition, key, sentences.end, most))
    shape = jax.ShapeDtypeStruct((len(tokens),), jnp.float32)  # type: ignore[no-untyped-call]
    pictures = jnp.repeat(batch.pictures, SAMPLED)
    rewards = jax.pure_callback(reward, shape, pictures, tokens).reshape(-1, SAMPLED)
    rewards = jnp.where(batch.is_real[:, None], rewards, 0.0)
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (SAMPLED - 1)
    advantage = (rewards - others).reshape(-1, 1)
    each = jax.tree.map(lambda leaf: jnp.repeat(leaf, SAMPLED, axis=0), condition)
    readouts, _ = decoder.read(shifted(tokens, sentences.end), each)
    nats = token_nats(decoder, readouts, tokens)
    is_written = jnp.arange(most) < _lengths(jnp, tokens, sentences.end)[:, None]
    captions = SAMPLED * jnp.maximum(jnp.sum(batch.is_real), 1)
    loss = weighted_sum(nats * advantage, is_written) / captions
    mean = jnp.sum(rewards) / captions
    return loss - jax.lax.stop_gradient(loss + mean)


def sample_captions(
    decoder: Decoder, condition: Condition, key: PRNGKeyArray, end: int, most: int
) -> Int[Array, "R T"]:
    """Sample K captions for each condition; after END comes only END."""
    stepper = ConditionStepper(decoder)
    rows = len(condition.vector)
    state = stepper.reorder(stepper.start(condition), jnp.repeat(jnp.arange(rows), SAMPLED))

    def step(carry: Any, key: PRNGKeyArray) -> tuple[Any, Int[Array, "R"]]:
        last, state, is_done = carry
        logits, state = stepper.step(last, state)
        token = jnp.where(is_done, end, jax.random.categorical(key, logits))
        return (token, state, is_done | (token == end)), token

    first = (jnp.full(rows * SAMPLED, end), state, jnp.zeros(rows * SAMPLED, bool))
    return jax.lax.scan(step, first, jax.random.split(key, most))[1].T


def _lengths(xp: Any, ids: Any, end: int) -> Any:
    """Count the tokens up to and including END; all of them if there is none."""
    is_end: Bool[Array, "R T"] = xp.asarray(ids) == end
    return xp.where(is_end.any(axis=1), is_end.argmax(axis=1) + 1, is_end.shape[1])
