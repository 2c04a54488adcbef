"""A cell of one's own in every model: with the GRU's equations it gives the GRU's numbers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import OWN, OwnCell, PlainGRU, assert_close, create_leaky

import unspool
from unspool import ConfigError, RunError
from unspool.bidirectional import Bidirectional
from unspool.cells import GRU, cell_name
from unspool.models.description import build_model, describe_model

B, T, V = 2, 5, 7
draw = np.random.default_rng(0)
TOKENS = jnp.asarray(draw.integers(0, V, (B, T)))
LENGTHS = jnp.array([T, 3])
GRID = jnp.asarray(draw.normal(size=(B, 4, 3)), jnp.float32)
IMAGES = jnp.asarray(draw.uniform(size=(B, 6, 6)), jnp.float32)
SMALL: dict[str, Any] = {"hidden_size": 4, "num_layers": 2}


class Case(NamedTuple):
    """A model, by its cell, and what it makes of a batch."""

    create: Callable[..., Any]
    outputs: Callable[[Any], Any]
    has_layer_norm: bool = True


def language(**options: Any) -> Any:
    return unspool.LanguageModel.create(V, embedding_size=3, **SMALL, **options)


def reader(kind: Any, bidirectional: bool) -> Callable[..., Any]:
    def create(**options: Any) -> Any:
        return kind.create(
            3, vocab_size=V, embedding_size=3, bidirectional=bidirectional, **SMALL, **options
        )

    return create


def translator(attention: str) -> Callable[..., Any]:
    def create(**options: Any) -> Any:
        return unspool.Translator.create(
            V, attention=attention, embedding_size=3, **SMALL, **options
        )

    return create


def captioner(way: str) -> Callable[..., Any]:
    def create(**options: Any) -> Any:
        sizes = {"condition_size": 6, "embedding_size": 3, **SMALL}
        return unspool.Captioner.create(V, 3, way=way, **sizes, **options)

    return create


def glimpse(**options: Any) -> Any:
    sizes = {"glimpses": 3, "hidden_size": 4, "glimpse_size": 3, "patch": 2}
    return unspool.GlimpseClassifier.create(3, (6, 6, 1), **sizes, **options)


def generator(**options: Any) -> Any:
    return unspool.Generator.create(3, V, embedding_size=3, **SMALL, **options)


READ: Callable[[Any], Any] = lambda model: model(TOKENS, LENGTHS)  # noqa: E731
TRANSLATE: Callable[[Any], Any] = lambda model: model(TOKENS, LENGTHS, TOKENS)  # noqa: E731
CAPTION: Callable[[Any], Any] = lambda model: model(GRID, TOKENS)[0]  # noqa: E731
CASES = {
    "language": Case(language, lambda model: model(TOKENS, model.initial_state(B))[0]),
    "classifier": Case(reader(unspool.Classifier, True), READ),
    "classifier, forwards": Case(reader(unspool.Classifier, False), READ),
    "tagger": Case(reader(unspool.Tagger, True), READ),
    "generator": Case(generator, lambda model: model(TOKENS, jnp.array([0, 2]))),
    "glimpse": Case(glimpse, lambda model: model(IMAGES)),
    "translator, luong": Case(translator("luong"), TRANSLATE, False),
    "translator, bahdanau": Case(translator("bahdanau"), TRANSLATE, False),
    "translator, none": Case(translator("none"), TRANSLATE, False),
    "captioner, every": Case(captioner("every"), CAPTION, False),
    "captioner, first": Case(captioner("first"), CAPTION, False),
    "captioner, attention": Case(captioner("attention"), CAPTION, False),
}


@pytest.mark.parametrize("name", CASES)
def test_three_methods_give_the_built_in_cells_numbers(name: str):
    case = CASES[name]
    built_in, own = case.create(cell="gru", seed=1), case.create(cell=PlainGRU, seed=1)
    cells = jax.tree.leaves(own, is_leaf=lambda leaf: isinstance(leaf, PlainGRU))
    assert sum(isinstance(leaf, PlainGRU) for leaf in cells) >= 1
    assert not any(isinstance(leaf, GRU) for leaf in cells)
    outputs = eqx.filter_jit(case.outputs)
    assert_close(outputs(own), outputs(built_in), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_it_is_rebuilt_with_its_cell_alone(name: str):
    case = CASES[name]
    model = eqx.filter_eval_shape(case.create, cell=create_leaky)
    description = describe_model(model)
    assert description["cell"] == "docstring:LeakyCell"
    rebuilt = eqx.filter_eval_shape(build_model, type(model), description, create_leaky)
    assert jax.tree.structure(rebuilt) == jax.tree.structure(model)
    with pytest.raises(RunError, match=r"add cell='docstring:LeakyCell'"):
        build_model(type(model), description)
    for other in (OwnCell, OWN, "gru", GRU.create):
        with pytest.raises(RunError, match="the cell docstring:LeakyCell, not with"):
            eqx.filter_eval_shape(build_model, type(model), description, other)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.has_layer_norm])
def test_layer_norm_that_a_cell_lacks_is_refused(name: str):
    for cell in (create_leaky, OwnCell):
        with pytest.raises(ConfigError, match=r"layer_norm does not go with .*Cell, which has non"):
            eqx.filter_eval_shape(CASES[name].create, cell=cell, layer_norm=True)


def test_older_descriptions_name_the_class_alone():
    model = eqx.filter_eval_shape(language, cell=create_leaky)
    description = describe_model(model) | {"cell": "own: LeakyCell"}
    rebuilt = eqx.filter_eval_shape(build_model, type(model), description, create_leaky)
    assert jax.tree.structure(rebuilt) == jax.tree.structure(model)
    with pytest.raises(RunError, match="cannot rebuild"):
        build_model(type(model), description)


def test_both_directions_are_drawn_of_any_cell():
    key = jax.random.key(0)
    xs, lengths = jnp.ones((T, B, 3)), jnp.array([T, 2])
    made = [Bidirectional.create(3, 4, cell=cell, key=key) for cell in ("gru", PlainGRU)]
    assert_close(made[1](xs, lengths), made[0](xs, lengths), rtol=1e-4, atol=1e-5)
    assert not np.allclose(made[1].forward.w_x, made[1].backward.w_x)


# --- token ids ----------------------------------------------------------------------------


@pytest.mark.parametrize("vocab_size", [V, 50])  # by a table, or row by row
def test_without_an_embedding_it_sees_one_hot_vectors(vocab_size: int):
    model = unspool.LanguageModel.create(vocab_size, cell=PlainGRU, hidden_size=4)
    cell = model.stack.cells[0]
    expected = cell.project(jax.nn.one_hot(TOKENS.T, vocab_size))
    assert_close(model.project(TOKENS.T), expected)
    logits, state = model(TOKENS, model.initial_state(B))
    stepped = model.initial_state(B)
    for t in range(T):
        one, stepped = model.step(TOKENS[:, t], stepped)
        assert_close(one, logits[:, t])
    assert_close(stepped, state)


@pytest.mark.parametrize("vocab_size", [V, 50])
def test_tokens_drop_out_of_one_hot_vectors(vocab_size: int):
    model = unspool.LanguageModel.create(
        vocab_size, cell=PlainGRU, hidden_size=4, dropout_embedding=0.5
    )
    cell = model.stack.cells[0]
    factors = (model.project(TOKENS.T, jax.random.key(1)) - cell.b) / (
        model.project(TOKENS.T) - cell.b
    )
    np.testing.assert_allclose(np.unique(factors.round(2)), [0, 2])


def test_weight_drop_needs_weights_that_a_cell_says():
    model = unspool.LanguageModel.create(V, cell=PlainGRU, hidden_size=4, weight_drop=0.5)
    with pytest.raises(ConfigError, match="says its recurrent_weights, got PlainGRU"):
        model(TOKENS, model.initial_state(B), key=jax.random.key(0))


class Dropped(PlainGRU):
    @property
    def recurrent_weights(self) -> Any:
        return (self.w_h,)


def test_weight_drop_acts_on_weights_that_a_cell_says():
    model = unspool.LanguageModel.create(V, cell=Dropped, hidden_size=4, weight_drop=0.5)
    state = (jnp.ones((B, 4)),)
    plain = model(TOKENS, state)[0]
    assert not np.allclose(model(TOKENS, state, key=jax.random.key(0))[0], plain)
    assert_close(model(TOKENS, state)[0], plain)


# --- the state a decoder begins with ------------------------------------------------------


class Pair(PlainGRU):
    """A state without `h`, which `output` reads."""

    def initial_state(self, batch: int) -> Any:
        return (super().initial_state(batch), jnp.zeros(batch))

    def step(self, state: Any, projected: Any) -> Any:
        return (super().step(state[0], projected), state[1] + 1)

    def output(self, state: Any) -> Any:
        return state[0]


class Starting(Pair):
    def starting_state(self, h: Any) -> Any:
        return (h, jnp.zeros(len(h)))


def test_a_decoder_needs_to_know_where_a_state_begins():
    case = CASES["translator, luong"]
    with pytest.raises(ConfigError, match=r"Pair has a state without h: .* starting_state\(h\)"):
        case.outputs(case.create(cell=Pair))
    own, built_in = case.create(cell=Starting), case.create(cell="gru")
    assert_close(case.outputs(own), case.outputs(built_in), rtol=1e-4, atol=1e-5)


def test_other_models_take_any_state():
    for name in ("language", "tagger", "glimpse"):
        case = CASES[name]
        own, built_in = case.create(cell=Pair), case.create(cell="gru")
        assert_close(case.outputs(own), case.outputs(built_in), rtol=1e-4, atol=1e-5)
    assert cell_name(Pair) == f"{__name__}:Pair"
