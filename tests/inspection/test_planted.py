"""Where it is known which unit stands for what, that unit is found."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import random_like

import unspool
from unspool.data.vocabularies import build_vocabulary
from unspool.inspection import Spans, Trace, annotate, best_units, score_units

TEXT = 'He said "yes, it is", and "no": she went on. Not "all" were there (or "none").\n' * 20


def with_a_toggle(vocab, unit, sign):
    """A random LSTM in whose first layer one unit flips its c at every `sign`, and else keeps it.

    There i = 1 and f = 0, so that c becomes g = tanh(-20 h - 5): from 0 or above to -1, from -1
    to 1. At other tokens i = 0 and f = 1.
    """
    size = 16
    create = lambda: unspool.LanguageModel.create(vocab, hidden_size=size, num_layers=2)  # noqa: E731
    model = random_like(eqx.filter_eval_shape(create), seed=4)
    lstm = model.stack.cells[0]
    at_sign = jnp.where(jnp.arange(len(vocab)) == vocab.encode(sign)[0], 20.0, -20.0)
    w_ih = lstm.w_ih
    for gate, row in enumerate(
        (at_sign, -at_sign, jnp.full(len(vocab), -5.0), jnp.full(len(vocab), 20.0))
    ):
        w_ih = w_ih.at[gate * size + unit].set(row)
    rows = jnp.arange(4) * size + unit
    w_hh = lstm.w_hh.at[rows].set(0.0).at[2 * size + unit, unit].set(-20.0)
    bias = lstm.bias.at[rows].set(0.0)
    parts = lambda m: (m.stack.cells[0].w_ih, m.stack.cells[0].w_hh, m.stack.cells[0].bias)  # noqa: E731
    return eqx.tree_at(parts, model, (w_ih, w_hh, bias))


def test_a_unit_that_toggles_at_quotes_is_found():
    vocab = build_vocabulary("char", [TEXT])
    model = with_a_toggle(vocab, unit=11, sign='"')
    trace = Trace.record(model, Spans(TEXT, *vocab.spans(TEXT)))
    scores = score_units(trace, annotate(TEXT))
    best = scores[0]
    assert (best.annotation, best.layer, best.unit, best.direction) == ("quotes", 0, 11, -1)
    assert best.auc == 1.0
    runner_up = best_units(scores, 2)["quotes"][1]
    assert runner_up.auc < 1
    assert best.auc > best.control  # 79 tokens again and again: some shifts nearly fit
    assert best.p == 1 / 20
    left, right = trace.saturation[0]["f"][:, 11]
    np.testing.assert_allclose(
        [left, right], [TEXT.count('"') / len(TEXT), 1 - TEXT.count('"') / len(TEXT)]
    )


@pytest.mark.slow
def test_a_unit_of_a_trained_network_is_found():
    """After a rare sign all letters are capitals until the next: to predict, it must remember."""
    draw = np.random.default_rng(0)
    signs = draw.random(20_000) < 0.06
    inside = np.cumsum(signs) % 2 == 1
    letters = draw.integers(0, 4, 20_000)
    ids = np.where(signs, 8, letters + 4 * inside)
    text = "".join("abcdABCD|"[i] for i in ids)
    model = unspool.LanguageModel.create(9, hidden_size=12, seed=1)
    tokens = jnp.asarray(ids[:16_000].reshape(40, 400))

    def loss(model, x, y):
        logits, _ = model(x, model.initial_state(len(x)))
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1))

    @eqx.filter_jit
    def step(model, x):
        value, grads = eqx.filter_value_and_grad(loss)(model, x[:, :-1], x[:, 1:])
        return value, eqx.apply_updates(
            model, jax.tree.map(lambda g: -0.5 * g / (jnp.abs(g).max() + 1e-3) ** 0.5, grads)
        )

    for i in range(150):
        _, model = step(model, tokens[:, (i % 8) * 50 : (i % 8) * 50 + 51])
    spans = Spans(text[16_000:], ids[16_000:], np.arange(4000), np.arange(4000))
    held = {"inside": lambda t: inside[16_000:]}
    (best, *_) = (
        s
        for s in score_units(Trace.record(model, spans), annotate(spans.text, functions=held))
        if s.annotation == "inside"
    )
    print(best)
    assert best.auc > 0.9 > best.control
