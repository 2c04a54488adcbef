"""The optimiser step: clipped AdamW that changes nothing if a value is not finite."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from .config import TrainingConfig

SATURATED = 0.9
UNDECAYED = ("b_", "bias", "gain")  # prefixes of the names of biases and gains
TABLES = {"embedding", "states"}  # looked up by a token or a condition


class Learner(NamedTuple):
    """All arrays that a step changes: the content of a checkpoint."""

    params: Any
    optimizer: Any
    average: Any  # None if no average is kept
    carried: Any  # the hidden state at the chunk's end


class Outcome(NamedTuple):
    """What a step reports; see `Loss` for the first two."""

    objective: Float[Array, ""]
    loss_nats: Float[Array, ""] | None
    gradient_norm: Float[Array, ""]
    is_finite: Bool[Array, ""]
    saturation: Float[Array, ""] | None  # None if no state is carried


def optimizer(config: TrainingConfig) -> optax.GradientTransformation:
    """Chain clipping by global norm, Adam and decoupled weight decay; the rate is applied later.

    Loshchilov and Hutter 2019, arXiv 1711.05101; Pascanu et al. 2013, arXiv 1211.5063, for the
    clipping. `is_decayed` says which weights decay.
    """
    return optax.chain(
        optax.stateless(partial(_clip, config.clip_norm)),
        optax.scale_by_adam(b1=0.9, b2=config.beta2),
        optax.add_decayed_weights(config.weight_decay, mask=_decayed),
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
    """Take an AdamW step with learning rate `rate`, number `step` from 0, and update the average of
    the weights p_1, p_2, ..., in which the share of each grows as a polynomial of the step:

        a_t = a_{t-1} + s_t (p_t - a_{t-1})     s_t = (n + 1) / (t + n), so that a_1 = p_1

    with n = 1 / `average` - 2, so that the weights in a_t are on average `average` t steps old
    (Shamir and Zhang 2013, arXiv 1212.1824).
    """
    updates, state = optimizer(config).update(gradients, learner.optimizer, learner.params)
    params = jax.tree.map(lambda p, u: p - rate * u, learner.params, updates)
    average = learner.average
    if average is not None:
        n = 1 / config.average - 2
        share = (n + 1) / (step + 1 + n)
        average = jax.tree.map(lambda a, p: a + share * (p - a), average, params)
    return Learner(params, state, average, learner.carried)


def keep_finite(is_finite: Bool[Array, ""], new: Learner, old: Learner) -> Learner:
    """Return the new arrays if the step was finite, otherwise the old ones."""
    return jax.tree.map(lambda a, b: jnp.where(is_finite, a, b), new, old)


def saturation(carried: Any) -> Float[Array, ""] | None:
    """Return the share of |h| above 0.9 in the carried states of all layers, without c.

    An RNN's tanh has almost no gradient there; for an LSTM or GRU it says how full the state is.
    """
    hs = [state.h for state in carried if hasattr(state, "h")]
    if not hs:
        return None
    return jnp.mean(jnp.stack([jnp.mean(jnp.abs(h) > SATURATED) for h in hs]))


def is_decayed(path: tuple[Any, ...], leaf: Any) -> bool:
    """Say whether weight decay acts on a parameter, by the names on the path to it.

    Weights decay: matrices of layers and kernels of convolutions. Biases (b, b_..., bias...) and
    the gains of layer norm (gain..., which rest at 1) do not. Nor do tables that are looked up
    (embeddings, tied ones too, and the first states of a generator): the row of a rare token would
    shrink at every step but be trained at only a few. Other vectors do not decay either.
    """
    names = [str(getattr(key, "name", getattr(key, "key", ""))) for key in path]
    names = [name for name in names if name and not name.isdigit()]
    is_undecayed = names[-1] == "b" or names[-1].startswith(UNDECAYED)
    return leaf.ndim > 1 and not is_undecayed and TABLES.isdisjoint(names)


def _decayed(params: Any) -> Any:
    return jax.tree.map_with_path(is_decayed, params)
