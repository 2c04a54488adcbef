"""The optimiser step: clipped AdamW that leaves everything alone where a value is not finite."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from .config import TrainingConfig

SATURATED = 0.9


class Learner(NamedTuple):
    """All arrays that a step changes: what a checkpoint holds."""

    params: Any
    optimizer: Any
    average: Any  # None where no average is kept
    carried: Any  # the hidden state at the chunk's end


class Outcome(NamedTuple):
    """What a step reports."""

    loss_nats: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    is_finite: Bool[Array, ""]
    saturation: Float[Array, ""] | None  # None where no state is carried


def optimizer(config: TrainingConfig) -> optax.GradientTransformation:
    """Clipping by global norm, Adam, decoupled decay of matrices; the rate comes later.

    Loshchilov and Hutter 2019, arXiv 1711.05101; Pascanu et al. 2013 for the clipping.
    """
    return optax.chain(
        optax.stateless(partial(_clip, config.clip_norm)),
        optax.scale_by_adam(b1=0.9, b2=config.beta2),
        optax.add_decayed_weights(config.weight_decay, mask=_matrices),
    )


def _clip(limit: float, gradients: Any, _params: Any) -> Any:
    # One factor instead of optax's choice between g and g / norm, for which XLA on the CPU writes
    # all quotients to memory and reads them again with every use.
    factor = jnp.minimum(1.0, limit / optax.tree.norm(gradients))
    return jax.tree.map(lambda g: g * factor, gradients)


def apply_gradients(
    learner: Learner,
    gradients: Any,
    rate: Float[Array, ""],
    step: Float[Array, ""],
    config: TrainingConfig,
) -> Learner:
    """One AdamW step with learning rate `rate`, and the running average of the weights."""
    updates, state = optimizer(config).update(gradients, learner.optimizer, learner.params)
    params = jax.tree.map(lambda p, u: p - rate * u, learner.params, updates)
    average = learner.average
    if average is not None:
        decay = jnp.minimum(config.average, (1 + step) / (10 + step))
        average = jax.tree.map(lambda a, p: a + (1 - decay) * (p - a), average, params)
    return Learner(params, state, average, learner.carried)


def keep_finite(is_finite: Bool[Array, ""], new: Learner, old: Learner) -> Learner:
    """The new arrays if the step was finite, else the old ones."""
    return jax.tree.map(lambda a, b: jnp.where(is_finite, a, b), new, old)


def saturation(carried: Any) -> Float[Array, ""] | None:
    """The share of |h| above 0.9 in the carried states of all layers, c not among them.

    An RNN's tanh hardly has a gradient there; of an LSTM or GRU it says how full the state is.
    """
    hs = [state.h for state in carried if hasattr(state, "h")]
    if not hs:
        return None
    return jnp.mean(jnp.stack([jnp.mean(jnp.abs(h) > SATURATED) for h in hs]))


def _matrices(params: Any) -> Any:
    return jax.tree.map(lambda p: p.ndim > 1, params)
