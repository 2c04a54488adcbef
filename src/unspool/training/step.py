"""A compiled step of training: loss, gradients and the optimiser; and its first arguments."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..cells.init import random_key
from .config import TrainingConfig
from .optim import Learner, Outcome, apply_gradients, keep_finite, optimizer, saturation
from .task import Task

Step = Callable[[Learner, Any, Any, float], tuple[Learner, Outcome]]


def start_learner(model: Any, task: Task, config: TrainingConfig) -> Learner:
    """Make the arrays that the first step starts from."""
    params = eqx.filter(model, eqx.is_inexact_array)
    learner = Learner(
        params=params,
        optimizer=optimizer(config).init(params),
        average=params if config.average else None,
        carried=task.initial_state(model),
    )
    # A step reuses the memory of its arguments, so no array may appear in them twice.
    return jax.tree.map(jnp.copy, learner)


def compile_step(static: Any, task: Task, config: TrainingConfig) -> Step:
    """Compile a step: (learner, batch, number, rate) -> (learner, outcome)."""
    key = random_key(config.seed, "training")

    def loss(params: Any, carried: Any, batch: Any, key: Any) -> Any:
        found = task.loss(eqx.combine(params, static), batch, carried, key)
        return found.objective, found

    @partial(jax.jit, donate_argnums=0)
    def step(learner: Learner, batch: Any, number: Any, rate: Any) -> tuple[Learner, Outcome]:
        gradient = jax.value_and_grad(loss, has_aux=True)
        step_key = jax.random.fold_in(key, number)
        (objective, found), gradients = gradient(learner.params, learner.carried, batch, step_key)
        norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(gradients)))
        is_finite = jnp.isfinite(objective) & jnp.isfinite(norm)
        new = apply_gradients(learner, gradients, rate, number, config)
        new = keep_finite(is_finite, new._replace(carried=found.state), learner)
        return new, Outcome(objective, found.nats, norm, is_finite, saturation(found.state))

    return step
