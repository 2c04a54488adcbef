"""Flax: `nn.RNN` over its own cells, Optax, one jitted step that donates its arguments."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from ..models.language import LanguageModel
from ..tasks.text.task import LanguageTask
from .ours import BETAS, CLIP_NORM, LEARNING_RATE
from .timing import Run
from .workloads import VOCABULARY, Workload

CELLS = {"rnn": nn.SimpleCell, "gru": nn.GRUCell, "lstm": nn.OptimizedLSTMCell}


class Model(nn.Module):
    """One-hot inputs, layers, output weights."""

    workload: Workload

    def setup(self) -> None:
        cells = [
            CELLS[self.workload.cell](self.workload.hidden) for _ in range(self.workload.layers)
        ]
        self.layers = [nn.RNN(cell, return_carry=True) for cell in cells]
        self.head = nn.Dense(VOCABULARY)

    def __call__(self, ids: Any, states: Any) -> Any:
        x = jnp.eye(VOCABULARY)[ids]
        ends = []
        for layer, state in zip(self.layers, states, strict=True):
            end, x = layer(x, initial_carry=state)
            ends.append(end)
        return self.head(x), tuple(ends)


def training(workload: Workload, model: LanguageModel, task: LanguageTask, threads: int) -> Run:
    """Do as `ours.training`, with Flax's own weights; XLA uses all cores of the process."""
    network = Model(workload)
    zeros = jnp.zeros((workload.batch, workload.hidden))
    layer_state = (zeros, zeros) if workload.cell == "lstm" else zeros
    states: Any = (layer_state,) * workload.layers
    params = network.init(jax.random.key(0), task.batch(0).inputs, states)
    adam = optax.chain(
        optax.clip_by_global_norm(CLIP_NORM), optax.adam(LEARNING_RATE, b1=BETAS[0], b2=BETAS[1])
    )

    def loss(params: Any, states: Any, inputs: Any, targets: Any) -> Any:
        logits, states = network.apply(params, inputs, states)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        return nats.mean(), states

    @partial(jax.jit, donate_argnums=0)
    def step(learner: Any, inputs: Any, targets: Any) -> Any:
        params, moments, states = learner
        gradient = jax.value_and_grad(loss, has_aux=True)
        (nats, states), gradients = gradient(params, states, inputs, targets)
        updates, moments = adam.update(gradients, moments, params)
        return (optax.apply_updates(params, updates), moments, states), nats

    # A step reuses the memory of its arguments, so no array may appear in them twice.
    learner, number = jax.tree.map(jnp.copy, (params, adam.init(params), states)), 0

    def run(units: int) -> float:
        nonlocal learner, number
        for _ in range(units):
            learner, nats = step(learner, *task.batch(number)[:2])
            nats.block_until_ready()
            number += 1
        return float(nats)

    return run
