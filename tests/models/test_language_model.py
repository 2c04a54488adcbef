"""Language models: shapes, the ways to the same logits, causality, rules for the arguments."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype import beartype
from jaxtyping import jaxtyped
from tests.support import LeakyCell, assert_close, assert_equal, create_leaky, random_like

from unspool import GRU, LSTM, ConfigError, LanguageModel, Stack, unroll

V, B, T, H, E = 7, 2, 5, 4, 3
VARIANTS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn"},
    "lstm, 2 layers": {"cell": "lstm", "num_layers": 2},
    "gru, embedding": {"cell": "gru", "embedding_size": E, "num_layers": 2},
    "tied": {"cell": "lstm", "embedding_size": H, "tied": True},
    "layer norm": {"cell": "gru", "layer_norm": True, "num_layers": 2},
    "every dropout": {"dropout": 0.3, "dropout_embedding": 0.3, "weight_drop": 0.3},
    "own cell": {"cell": create_leaky, "embedding_size": E, "num_layers": 2},
}
variants = pytest.mark.parametrize("name", VARIANTS)
TOKENS = jnp.array([[0, 6, 3, 3, 1], [5, 2, 2, 4, 0]])


def make_model(name: str, vocab_size: int = V) -> LanguageModel:
    create = partial(LanguageModel.create, vocab_size, hidden_size=H, **VARIANTS[name])
    return random_like(jax.eval_shape(create), seed=1)


def first_state(model: LanguageModel) -> Any:
    return random_like(model.initial_state(B), seed=2)


@variants
def test_shapes_are_those_of_the_annotations(name: str):
    model, lengths = make_model(name), jnp.array([5, 2])
    state = first_state(model)

    def call(method: Any, *arguments: Any) -> Any:
        checked = jaxtyped(typechecker=beartype)(method)
        result, last = jax.eval_shape(checked, model, *arguments)
        assert jax.tree.map(jnp.shape, last) == jax.tree.map(jnp.shape, state)
        return result.shape

    assert call(LanguageModel.__call__, TOKENS, state, lengths) == (B, T, V)
    assert call(LanguageModel.hidden, TOKENS, state) == (B, T, H)
    assert call(LanguageModel.step, TOKENS[:, 0], state) == (B, V)


@variants
def test_steps_one_by_one_are_the_whole_call(name: str):
    model = make_model(name)
    state = first_state(model)
    expected = model(TOKENS, state)
    step, logits = eqx.filter_jit(LanguageModel.step), []
    for t in range(T):
        new, state = step(model, TOKENS[:, t], state)
        logits.append(new)
    assert_close((jnp.stack(logits, 1), state), expected)


@variants
def test_logits_do_not_depend_on_later_tokens(name: str):
    model, call = make_model(name), eqx.filter_jit(LanguageModel.__call__)
    state = first_state(model)
    logits, _ = call(model, TOKENS, state)
    for t in range(T):
        changed, _ = call(model, TOKENS.at[:, t].set((TOKENS[:, t] + 1) % V), state)
        assert_equal(changed[:, :t], logits[:, :t])
        assert (jnp.max(jnp.abs(changed - logits)[:, t:], axis=-1) > 0).all()


@variants
def test_a_table_of_the_vocabulary_and_rows_alone_project_alike(name: str):
    # 10 tokens: more than the 7 of one vocabulary, fewer than the 11 of the other.
    small, large = make_model(name), make_model(name, vocab_size=11)
    for model in (small, large):
        cell, x = model.stack.cells[0], TOKENS
        if model.embedding is not None:
            x = model.embedding[TOKENS]
        expected = jnp.swapaxes(cell.project(x), 0, 1)
        assert_close(model.project(TOKENS.T, None), expected)


def test_logits_are_an_affine_function_of_the_last_layers_outputs():
    model = make_model("gru, embedding")
    state = first_state(model)
    lower, _ = unroll(model.stack.cells[0], model.embedding[TOKENS], state[0])
    upper, _ = unroll(model.stack.cells[1], lower, state[1])
    expected = np.einsum("bth,vh->btv", upper, model.w_out) + model.b_out
    assert_close(model(TOKENS, state)[0], expected)


def test_tied_weights_are_the_embedding_and_learn_from_both_ends():
    model = make_model("tied")
    assert model.w_out is None
    assert model.output_weights is model.embedding

    def first_logit(model: LanguageModel, tokens: Any) -> Any:
        return model(tokens, model.initial_state(1))[0][0, -1, 0]

    d_embedding = jax.grad(first_logit)(model, jnp.array([[3, 4]])).embedding
    assert np.any(d_embedding != 0, axis=1).tolist() == [True, False, False, True, True, 0, 0]


def test_padding_does_not_reach_the_state():
    model = make_model("lstm, 2 layers")
    state, lengths = first_state(model), jnp.array([3, 5])
    logits, last = model(TOKENS, state, lengths)
    other, last_other = model(TOKENS.at[0, 3:].set(0), state, lengths)
    assert_equal((other, last_other), (logits, last))
    assert_close(logits[0, 3:], jnp.broadcast_to(model.b_out, (2, V)))


# --- dropout ------------------------------------------------------------------------------


def test_dropout_needs_a_key():
    model = make_model("every dropout")
    state = first_state(model)
    plain = LanguageModel(None, Stack(model.stack.cells), model.w_out, model.b_out)
    logits = model(TOKENS, state)[0]
    assert_equal(logits, plain(TOKENS, state)[0])
    assert not np.allclose(model(TOKENS, state, key=jax.random.key(0))[0], logits)


@pytest.mark.parametrize("embedding_size", [None, E])
@pytest.mark.parametrize("vocab_size", [V, 200])
def test_dropout_of_the_embedding_drops_whole_tokens(embedding_size: int | None, vocab_size: int):
    model = LanguageModel.create(
        vocab_size, cell="rnn", hidden_size=H, embedding_size=embedding_size, dropout_embedding=0.5
    )
    bias = model.stack.cells[0].bias
    tokens = jnp.tile(jnp.arange(V), (3, 2))
    plain = model.project(tokens, None) - bias
    factors = (model.project(tokens, jax.random.key(2)) - bias) / plain
    # One factor a token: for all its elements, rows and steps.
    factor = jnp.broadcast_to(factors[:1, :V, :1], (3, V, H))
    assert_close(factors, jnp.concatenate([factor, factor], 1), rtol=1e-3)
    np.testing.assert_allclose(np.unique(factors.round(2)), [0, 2])


def test_dropout_of_the_embedding_needs_something_to_drop():
    model = LanguageModel.create(V, cell=indexed_leaky, hidden_size=H, dropout_embedding=0.5)
    with pytest.raises(ConfigError, match=r"dropout_embedding needs .* got IndexedLeaky without"):
        model(TOKENS, model.initial_state(B), key=jax.random.key(0))


# --- custom cells -------------------------------------------------------------------------


class IndexedLeaky(LeakyCell):
    def project(self, x: Any) -> Any:
        return self.w_in[x]


def indexed_leaky(*sizes: int, **options: Any) -> IndexedLeaky:
    cell = create_leaky(*sizes, **options)
    return IndexedLeaky(cell.w_in, cell.w_hid, cell.leak, cell.hidden_size)


def test_a_cell_of_the_users_own_may_take_token_ids():
    model = LanguageModel.create(V, cell=indexed_leaky, hidden_size=H)
    cell = model.stack.cells[0]
    assert type(cell) is IndexedLeaky
    expected, _ = unroll(create_leaky_like(cell), jax.nn.one_hot(TOKENS, V))
    assert_close(model.hidden(TOKENS, model.initial_state(B))[0], expected)


def create_leaky_like(cell: Any) -> Any:
    return LeakyCell(cell.w_in, cell.w_hid, cell.leak, cell.hidden_size)


@pytest.mark.parametrize("vocab_size", [V, 11])  # projected as a table, or rows alone
def test_a_cell_of_the_users_own_gets_gradients(vocab_size: int):
    model = make_model("own cell", vocab_size)

    def loss(model: LanguageModel) -> Any:
        return jnp.sum(model(TOKENS, model.initial_state(B))[0] ** 2)

    gradients = jax.grad(loss)(model)
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients))


# --- creation -----------------------------------------------------------------------------


def test_the_seed_draws_the_weights():
    first, again, other = (LanguageModel.create(V, hidden_size=H, seed=s) for s in (0, 0, 1))
    assert_equal(first, again)
    assert not np.allclose(first.stack.cells[0].w_hh, other.stack.cells[0].w_hh)


def test_layers_differ_and_have_their_sizes():
    cells = LanguageModel.create(V, cell="gru", hidden_size=H, num_layers=3).stack.cells
    assert [type(cell) for cell in cells] == [GRU] * 3
    assert [cell.w_ih.shape[1] for cell in cells] == [V, H, H]
    assert not np.allclose(cells[1].w_hh, cells[2].w_hh)


def test_a_vocabulary_gives_its_length():
    assert LanguageModel.create("abc", hidden_size=H).vocab_size == 3


def test_input_weights_for_token_ids_start_larger():
    drawn = [LanguageModel.create(50, hidden_size=64, embedding_size=e) for e in (None, 64)]
    assert all(isinstance(model.stack.cells[0], LSTM) for model in drawn)
    largest = [jnp.max(jnp.abs(model.stack.cells[0].w_ih)) for model in drawn]
    assert 0.99 < largest[0] <= 1
    assert 0.12 < largest[1] <= 0.125
    assert 0.099 < jnp.max(jnp.abs(drawn[1].embedding)) <= 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab": 0}, "vocab_size must be a whole number of at least 1, got 0"),
        ({"hidden_size": 0}, "hidden_size must be a whole number of at least 1, got 0"),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1, got 0"),
        ({"embedding_size": 0}, "embedding_size must be a whole number of at least 1, got 0"),
        (
            {"cell": "lstn"},
            "cell must be one of rnn, gru, lstm or package.module:Class, got 'lstn'",
        ),
        ({"tied": True}, r"tied weights need embedding_size equal to hidden_size \(4\), got None"),
        ({"tied": True, "embedding_size": 3}, r"equal to hidden_size \(4\), got 3"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout_embedding": -1.0}, "dropout_embedding must be at least 0 and below 1, got -1"),
        ({"weight_drop": 2.0}, "weight_drop must be at least 0 and below 1, got 2.0"),
    ],
)
def test_arguments_that_break_a_rule_are_named(options: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        LanguageModel.create(**{"vocab": V, "hidden_size": H} | options)


def test_a_state_of_another_batch_size_is_refused():
    model = make_model("rnn")
    with pytest.raises(ConfigError, match="batch size 2"):
        model(TOKENS, model.initial_state(3))
    with pytest.raises(ConfigError, match="batch must be a whole number of at least 1, got 0"):
        model.initial_state(0)
