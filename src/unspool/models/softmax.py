"""Negative log-likelihoods of next tokens: full and sampled softmax."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..products import affine, look_up
from .language import LanguageModel

MAX_LOGITS = 2**25  # at most 128 MiB of logits at once


def token_nats(
    model: Any,
    hidden: Float[Array, "B T H"],
    targets: Int[Array, "B T"],
) -> Float[Array, "B T"]:
    """Return -ln p(target) under the softmax over the whole vocabulary of a model with `logits`.

    If the logits of all steps would not fit in 128 MiB, they are computed one time step at a time,
    and again in the backward pass.
    """
    return smoothed_nats(model, hidden, targets, 0.0)[1]


def smoothed_nats(
    model: Any, hidden: Float[Array, "B T H"], targets: Int[Array, "B T"], label_smoothing: float
) -> tuple[Float[Array, "B T"], Float[Array, "B T"]]:
    """Compute `smoothed_cross_entropy` of all steps, in as little memory as `token_nats`."""

    def both(hidden: Array, targets: Array) -> tuple[Array, Array]:
        return smoothed_cross_entropy(model.logits(hidden), targets, label_smoothing)

    hidden, targets = jnp.swapaxes(hidden, 0, 1), targets.T  # as the layers left them: no copy
    if targets.size * model.vocab_size <= MAX_LOGITS:
        found = both(hidden, targets)
    else:
        one_step = jax.checkpoint(lambda x: both(*x))
        found = jax.lax.map(one_step, (hidden, targets))
    return found[0].T, found[1].T


def cross_entropy(logits: Float[Array, "*N V"], targets: Int[Array, "*N"]) -> Float[Array, "*N"]:
    """Return ln sum exp(logits) - logits[target]."""
    return smoothed_cross_entropy(logits, targets, 0.0)[1]


def smoothed_cross_entropy(
    logits: Float[Array, "*N V"], targets: Int[Array, "*N"], label_smoothing: float
) -> tuple[Float[Array, "*N"], Float[Array, "*N"]]:
    """Return the cross-entropy with smoothed targets, and with the given targets:

        (1 - s) nats + s (ln sum exp(logits) - mean(logits))     nats = ln sum exp(logits) - l_y

    A share s = `label_smoothing` of each target is spread evenly over all labels (Szegedy et al.
    2016, arXiv 1512.00567).
    """
    # A comparison fuses with the sum; gathering would cost a scatter in the backward pass.
    is_target = jnp.arange(logits.shape[-1]) == targets[..., None]
    picked = jnp.sum(jnp.where(is_target, logits, 0.0), axis=-1)
    nats = jax.nn.logsumexp(logits, axis=-1) - picked
    if not label_smoothing:
        return nats, nats
    return nats + label_smoothing * (picked - jnp.mean(logits, axis=-1)), nats


def sampled_nats(
    model: LanguageModel,
    hidden: Float[Array, "B T H"],
    targets: Int[Array, "B T"],
    samples: int,
    key: PRNGKeyArray,
    by_frequency: Any,
) -> Float[Array, "B T"]:
    """Return -ln p(target) under a softmax over the target and `samples` other tokens.

    The others are sampled once for the whole call: the k-th most frequent token, id
    `by_frequency[k]`, from the log-uniform distribution q(k) = ln((k+2)/(k+1)) / ln(V+1). Their
    logits are corrected by the log of their expected count, and samples that hit a row's target are
    masked, so that the sum of exponentials is an unbiased estimate of the softmax's denominator
    (Bengio and Senecal 2008; Jean et al. 2015, arXiv 1412.2007). Its logarithm, and so the
    gradient, keep a bias (Blanc and Rendle 2018, arXiv 1712.00527), which vanishes for many
    samples. For training only.
    """
    w, b, size = model.output_weights, model.b_out, model.vocab_size
    ranks = log_uniform(key, samples, size)
    sampled = jnp.asarray(by_frequency)[ranks]
    others = affine(hidden, look_up(w, sampled), b[sampled]) - log_expected_count(
        ranks, samples, size
    )
    others = jnp.where(sampled == targets[..., None], -jnp.inf, others)
    true = jnp.sum(hidden * look_up(w, targets), axis=-1) + b[targets]
    return jax.nn.logsumexp(jnp.append(others, true[..., None], axis=-1), axis=-1) - true


def log_uniform(key: PRNGKeyArray, count: int, size: int) -> Int[Array, "count"]:
    """Sample `count` numbers from q(k) = ln((k+2)/(k+1)) / ln(size+1), k = 0..size-1, by
    inversion.
    """
    u = jax.random.uniform(key, (count,))
    return jnp.minimum(jnp.exp(u * jnp.log(size + 1.0)).astype(jnp.int32) - 1, size - 1)


def log_expected_count(ranks: Int[Array, "*N"], samples: int, size: int) -> Float[Array, "*N"]:
    """Return ln(samples * q(rank))."""
    return jnp.log(samples * jnp.log1p(1 / (ranks + 1.0)) / jnp.log(size + 1.0))
