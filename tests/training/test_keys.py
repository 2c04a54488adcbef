"""No two draws of a run share a key: what one draws tells nothing of another."""

import functools

import equinox as eqx
import jax
import numpy as np
import pytest

import unspool
from unspool.models.captioner import create_cnn
from unspool.training import TrainingConfig
from unspool.training.step import compile_step, start_learner

DRAWS = ("uniform", "normal", "bernoulli", "categorical", "randint", "gumbel", "truncated_normal")


@pytest.fixture
def drawn(monkeypatch):
    """The keys that numbers are drawn with, one a call."""
    keys, depth = [], [0]

    def recording(draw):
        @functools.wraps(draw)
        def call(key, *arguments, **options):
            if depth[0] == 0:
                keys.append(tuple(np.asarray(jax.random.key_data(key)).ravel().tolist()))
            depth[0] += 1
            try:
                return draw(key, *arguments, **options)
            finally:
                depth[0] -= 1

        return call

    for name in DRAWS:
        monkeypatch.setattr(jax.random, name, recording(getattr(jax.random, name)))
    return keys


def test_a_run_draws_with_no_key_twice(drawn, tmp_path):
    """Weights, then dropout of everything and a sampled softmax in two steps."""
    path = tmp_path / "text.txt"
    path.write_text(" ".join(f"w{i % 7}" for i in range(200)))
    text = unspool.Text.read(path, tokens="word")
    task = unspool.LanguageTask(text, batch=2, steps_per_chunk=2, softmax="sampled")
    dropped = {"dropout": 0.5, "dropout_embedding": 0.5, "weight_drop": 0.5}
    options = {"hidden_size": 3, "embedding_size": 3, "num_layers": 1}
    model = unspool.LanguageModel.create(text.vocab, cell="lstm", seed=5, **options, **dropped)
    weights = len(drawn)
    config = TrainingConfig(seed=5)
    _, static = eqx.partition(model, eqx.is_inexact_array)
    learner, step = start_learner(model, task, config), compile_step(static, task, config)
    with jax.disable_jit():  # or a key would be a symbol
        for number in range(2):
            learner, _ = step(learner, task.batch(number), number, 1e-3)
    assert weights >= 4
    assert len(drawn) >= weights + 2 * 4
    assert len(set(drawn)) == len(drawn)


def test_parts_of_a_model_draw_with_keys_of_their_own(drawn):
    """A generator of as many labels as a cell's number, and a captioner with its CNN."""
    unspool.Generator.create(2, 5, cell="lstm", hidden_size=3)
    assert len(set(drawn)) == len(drawn) >= 5
    drawn.clear()
    create_cnn("small", 0)
    unspool.Captioner.create(5, 3, way="attention", hidden_size=3, embedding_size=3)
    assert len(set(drawn)) == len(drawn) >= 8
