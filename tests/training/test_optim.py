"""The optimiser against AdamW written out in NumPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unspool
from unspool.models.glimpse import GlimpseClassifier
from unspool.training import TrainingConfig
from unspool.training.optim import (
    Learner,
    apply_gradients,
    is_decayed,
    keep_finite,
    optimizer,
)

CONFIG = TrainingConfig(clip_norm=0.7, beta2=0.95, weight_decay=0.1, average=0.25)
SHAPES = {"w_hh": (3, 2), "bias": (2,), "gain_hh": (2, 2), "embedding": (4, 2)}


def draw(seed, scale):
    random = np.random.default_rng(seed)
    return {name: random.normal(0, scale, shape) for name, shape in SHAPES.items()}


def adamw(params, gradients, moments, step, rate):
    """One step of Loshchilov and Hutter's algorithm 2, after clipping; `step` counts from 1."""
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
    new = {}
    for name, p in params.items():
        g = gradients[name] * min(1, CONFIG.clip_norm / norm)
        m, v = moments[name]
        m, v = 0.9 * m + 0.1 * g, CONFIG.beta2 * v + (1 - CONFIG.beta2) * g**2
        moments[name] = m, v
        direction = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - CONFIG.beta2**step)) + 1e-8)
        decay = CONFIG.weight_decay * p if name == "w_hh" else 0
        new[name] = p - rate * (direction + decay)
    return new


def test_three_steps_are_those_of_adamw():
    params = draw(0, 1)
    moments = {name: (np.zeros(shape), np.zeros(shape)) for name, shape in SHAPES.items()}
    history = []
    arrays = jax.tree.map(jnp.float32, params)
    learner = Learner(arrays, optimizer(CONFIG).init(arrays), arrays, None)
    for step, scale in enumerate([5.0, 0.01, 1.0]):  # clipped, not clipped, clipped
        gradients, rate = draw(step + 1, scale), 0.1 / (step + 1)
        learner = apply_gradients(
            learner, jax.tree.map(jnp.float32, gradients), rate, jnp.int32(step), CONFIG
        )
        params = adamw(params, gradients, moments, step + 1, rate)
        history.append(params)
        shares = np.arange(1, step + 2) * np.arange(2, step + 3)  # of degree 1 / 0.25 - 2
        average = {
            name: np.average([p[name] for p in history], axis=0, weights=shares) for name in params
        }
        for name in SHAPES:
            assert learner.params[name] == pytest.approx(params[name], abs=1e-5)
            assert learner.average[name] == pytest.approx(average[name], abs=1e-5)


@pytest.mark.parametrize("average", [0.05, 0.1, 0.4])
def test_averaged_weights_are_as_old_as_the_option_says(average):
    """Not all averages are the same in a short run, and a long one reaches as far back."""
    config = TrainingConfig(average=average)
    learner = Learner({"w": jnp.zeros(1)}, optimizer(config).init({"w": jnp.zeros(1)}), {}, None)
    for steps in (50, 300):
        mean = jnp.zeros(1)
        for step in range(steps):  # the weights are the number of the step
            now = learner._replace(params={"w": jnp.full(1, step + 1.0)}, average={"w": mean})
            mean = apply_gradients(now, {"w": jnp.zeros(1)}, 0.0, jnp.int32(step), config).average[
                "w"
            ]
        assert (steps - float(mean[0])) / steps == pytest.approx(average, abs=1.2 / steps)


NAMES = {
    "w_ih", "w_hh", "w_out", "w_context", "w_first", "w_readout", "w_key", "w_query", "w_features",
    "w", "from_where",
}  # fmt: skip


def test_only_weights_decay_whatever_their_rank():
    options = {"layer_norm": True, "hidden_size": 4, "num_layers": 2}
    models = [
        (
            unspool.LanguageModel,
            (5,),
            {"cell": "lstm", "embedding_size": 4, "tied": True, **options},
        ),
        (unspool.Classifier, (2,), {"vocab_size": 5, "pooling": "attention", **options}),
        (unspool.Generator, (3, 5), {"cell": "gru", **options}),
        (unspool.Captioner, (5, 3), {"way": "attention", "hidden_size": 4, "cnn": "small"}),
        (GlimpseClassifier, (2, (8, 8, 1)), {"layer_norm": True, "hidden_size": 4}),
    ]
    decayed, kept = set(), set()
    for kind, arguments, named in models:
        drawn = eqx.filter_eval_shape(lambda: kind.create(*arguments, **named))  # noqa: B023
        for path, leaf in jax.tree.leaves_with_path(drawn):
            names = [key.name for key in path if hasattr(key, "name")]
            (decayed if is_decayed(path, leaf) else kept).add(
                "states" if "states" in names else names[-1]
            )
    assert decayed <= NAMES
    assert kept == {
        "b", "bias", "bias_c", "b_first", "b_hn", "b_out", "b_readout", "b_features", "embedding",
        "gain_c", "gain_hh", "gain_ih", "gains", "shifts", "states", "v",
    }  # fmt: skip


def test_all_or_nothing_is_kept():
    old = Learner(jnp.ones(2), jnp.ones(1), None, jnp.ones(3))
    new = jax.tree.map(lambda leaf: leaf * jnp.nan, old)
    kept = keep_finite(jnp.bool_(False), new, old)
    assert all(
        np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (kept, old)), strict=True)
    )
    assert np.isnan(keep_finite(jnp.bool_(True), new, old).carried).all()
