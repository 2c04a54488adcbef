"""Keras 3 on JAX: stateful layers, `train_on_batch`."""

import os
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from ..models.language import LanguageModel
from ..tasks.text.task import LanguageTask
from .ours import BETAS, CLIP_NORM, LEARNING_RATE
from .timing import Run
from .workloads import VOCABULARY, Workload

CELLS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def training(workload: Workload, model: LanguageModel, task: LanguageTask, threads: int) -> Run:
    """Do as `ours.training`, with Keras' own weights; XLA uses all cores of the process."""
    network = _network(workload)
    number = 0

    def run(units: int) -> Any:
        nonlocal number
        for _ in range(units):
            network.reset_metrics()
            inputs, targets, _ = task.batch(number)
            nats = network.train_on_batch(inputs, targets)  # a number: waits for the step
            number += 1
        return float(nats)

    return run


def _network(workload: Workload) -> Any:
    one_hot = keras.layers.Embedding(
        VOCABULARY, VOCABULARY, trainable=False, embeddings_initializer=_identity
    )
    layers = [
        CELLS[workload.cell](workload.hidden, return_sequences=True, stateful=True)
        for _ in range(workload.layers)
    ]
    network = keras.Sequential(
        [
            keras.Input(batch_shape=(workload.batch, workload.steps), dtype="int32"),
            one_hot,
            *layers,
            keras.layers.Dense(VOCABULARY),
        ]
    )
    network.compile(
        optimizer=keras.optimizers.Adam(
            LEARNING_RATE, beta_1=BETAS[0], beta_2=BETAS[1], global_clipnorm=CLIP_NORM
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return network


def _identity(shape: tuple[int, int], dtype: Any = None) -> np.ndarray:
    return np.eye(*shape, dtype=np.float32)
