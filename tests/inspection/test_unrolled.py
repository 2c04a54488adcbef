"""The unrolled graph: its values are the model's, its gradients those of finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import random_like

from unspool.errors import DataError
from unspool.inspection.unrolled import unrolled
from unspool.models.language import LanguageModel

IDS = np.array([0, 1, 2, 2, 3])


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return random_like(LanguageModel.create(4, cell="lstm", hidden_size=3, num_layers=2), seed=0)


def test_values_are_those_of_the_model(model):
    found = unrolled(model, IDS)
    logits, _ = model(jnp.asarray(IDS[None, :-1]), model.initial_state(1))
    assert found.scores == pytest.approx(np.asarray(logits[0]), abs=1e-5)
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    right = found.probabilities[np.arange(4), IDS[1:]]
    assert found.nats == pytest.approx(-np.log(right), abs=1e-5)
    assert [set(layer) for layer in found.layers] == [set("hcifgo")] * 2


def test_gradients_are_slopes_of_the_summed_loss(model):
    """dL/dh of each layer's last state but one, by moving that state and running on."""
    gradients = unrolled(model, IDS).gradients
    _, state = model(jnp.asarray(IDS[None, :3]), model.initial_state(1))
    outputs = model.stack.cells[-1].output

    def loss(nudges):
        """The nats after the third input, with its states moved."""
        moved = [s._replace(h=s.h + d) for s, d in zip(state, nudges, strict=True)]
        here = model.logits(outputs(moved[-1]))[0]
        after, _ = model.step(jnp.asarray(IDS[3:4]), tuple(moved))
        return sum(-jax.nn.log_softmax(y)[i] for y, i in ((here, IDS[3]), (after[0], IDS[4])))

    step = 1e-2
    for unit in range(3):
        nudge = step * jnp.eye(3)[unit]
        slope = (loss([0, nudge]) - loss([0, -nudge])) / (2 * step)
        assert gradients[1][2, unit] == pytest.approx(float(slope), abs=2e-3)


def test_one_token_is_no_step(model):
    with pytest.raises(DataError, match="two tokens, got 1"):
        unrolled(model, IDS[:1])
