"""Unspool: the step program of `training.loop`, and `decoding.sample`."""

import equinox as eqx
import jax

from ..decoding import LanguageStepper, sample
from ..models.language import LanguageModel
from ..tasks.text.task import LanguageTask
from ..training import TrainingConfig
from ..training.step import compile_step, start_learner
from .timing import Run

LEARNING_RATE, BETAS, CLIP_NORM = 2e-3, (0.9, 0.99), 1.0  # the same for every contestant
WARM_TOKENS = 1024  # until the sampler has compiled both sizes of its blocks


def training(model: LanguageModel, task: LanguageTask) -> Run:
    """Return a run whose unit is a step; it returns the loss of the last step."""
    config = TrainingConfig(beta2=BETAS[1], clip_norm=CLIP_NORM)
    step = compile_step(eqx.filter(model, eqx.is_inexact_array, inverse=True), task, config)
    learner, number = start_learner(model, task, config), 0

    def run(units: int) -> float:
        nonlocal learner, number
        for _ in range(units):
            learner, outcome = step(learner, task.batch(number), number, LEARNING_RATE)
            outcome = jax.device_get(outcome)  # waits for the step
            number += 1
        return float(outcome.objective)

    return run


def sampling(model: LanguageModel, weights: str) -> Run:
    """Return a run whose unit is a token at batch 1."""
    stepper = LanguageStepper(model, weights)

    def run(units: int) -> None:
        sample(stepper, [0], max_new_tokens=units)

    run(WARM_TOKENS)
    return run
