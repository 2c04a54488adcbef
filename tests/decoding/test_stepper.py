"""The stepper is the model, one step at a time, with its weights laid out for speed."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from tests.support import assert_close, assert_equal, create_leaky, random_like

from unspool import LanguageModel
from unspool.decoding import LanguageStepper

VARIANTS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn"},
    "gru, embedding": {"cell": "gru", "embedding_size": 3, "num_layers": 2},
    "tied": {"cell": "lstm", "embedding_size": 4, "tied": True},
    "layer norm": {"cell": "lstm", "layer_norm": True, "num_layers": 2},
    "own cell": {"cell": create_leaky, "embedding_size": 3},
}
TOKENS = jnp.array([6, 0, 3])


@pytest.mark.parametrize("name", VARIANTS)
def test_a_step_is_the_models(name: str):
    model = random_like(LanguageModel.create(7, hidden_size=4, **VARIANTS[name]), seed=1)
    stepper = LanguageStepper(model)
    assert_equal(stepper.start(3), model.initial_state(3))
    state = random_like(stepper.start(3), seed=2)
    found = eqx.filter_jit(lambda s, *a: s.step(*a))(stepper, TOKENS, state)
    assert_close(found, model.step(TOKENS, state))


def test_reorder_picks_rows():
    stepper = LanguageStepper(LanguageModel.create(7, hidden_size=4, num_layers=2))
    state = random_like(stepper.start(3), seed=2)
    picked = stepper.reorder(state, jnp.array([2, 0, 0]))
    expected = jax.tree.map(lambda x: jnp.stack([x[2], x[0], x[0]]), state)
    assert_equal(picked, expected)
