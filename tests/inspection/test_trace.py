"""Traced states are those of training, in memory, in blocks, on disk and in an npz."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import KINDS, assert_close, assert_equal, create_leaky, random_like

import unspool
from unspool import library
from unspool.errors import ConfigError, DataError, RunError
from unspool.inspection import Spans, Trace, cell_quantity, next_tokens, trace_model

TOKENS = np.random.default_rng(0).integers(0, 11, 150).astype(np.int32)
QUANTITIES = {"rnn": "h", "lstm": "hcifgo", "gru": "hrzn"}


def language_model(cell="lstm", layers=2, **options):
    create = lambda: unspool.LanguageModel.create(  # noqa: E731
        11, cell=cell, hidden_size=6, num_layers=layers, seed=1, **options
    )
    return random_like(eqx.filter_eval_shape(create), seed=2)


def joined(model, tokens=TOKENS, **options):
    """All blocks of a trace as one list of layers."""
    blocks = list(trace_model(model, tokens, **options))
    return [
        {name: np.concatenate([b.layers[i][name] for b in blocks]) for name in layer}
        for i, layer in enumerate(blocks[0].layers)
    ]


def by_hand(cell, xs):
    """A layer's equations in NumPy, float64, gate by gate: the quantities and the outputs."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    weights = {
        name: np.asarray(value, float) for name, value in vars(cell).items() if name[0] in "wb"
    }
    h = c = np.zeros(cell.hidden_size)
    rows = []
    for x in xs:
        p, a = weights["w_ih"] @ x + weights["bias"], weights["w_hh"] @ h
        if isinstance(cell, unspool.RNN):
            h = np.tanh(p + a)
            rows.append({"h": h})
        elif isinstance(cell, unspool.LSTM):
            i, f, g, o = np.split(p + a, 4)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c = f * c + i * g
            h = o * np.tanh(c)
            rows.append({"h": h, "c": c, "i": i, "f": f, "g": g, "o": o})
        else:
            (p_r, p_z, p_n), (a_r, a_z, a_n) = np.split(p, 3), np.split(a, 3)
            r, z = sigmoid(p_r + a_r), sigmoid(p_z + a_z)
            n = np.tanh(p_n + r * (a_n + weights["b_hn"]))
            h = (1 - z) * n + z * h
            rows.append({"h": h, "r": r, "z": z, "n": n})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("cell", KINDS)
def test_quantities_are_the_equations(cell, native, monkeypatch):
    if not native:
        monkeypatch.setattr(library, "why_not", lambda: "switched off by the test")
    elif library.why_not() is not None:
        pytest.skip(str(library.why_not()))
    model = language_model(cell, layers=1)
    (layer,) = joined(model, block=64 if native else 8192)
    expected = by_hand(model.stack.cells[0], np.eye(11)[TOKENS])
    assert list(layer) == list(QUANTITIES[cell])
    assert cell_quantity(layer) == ("c" if cell == "lstm" else "h")
    for name, values in expected.items():
        assert layer[name].dtype == np.float32
        np.testing.assert_allclose(layer[name], values, atol=3e-6, err_msg=name)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("cell", KINDS)
def test_states_are_those_of_training_also_where_they_are_carried(cell, layer_norm):
    model = language_model(cell, layer_norm=layer_norm)
    blocks = list(trace_model(model, TOKENS[:128], block=64))

    def run(model, tokens, state):
        hidden, state = model.hidden(tokens, state)
        return jnp.sum(hidden), (hidden, state)

    # XLA takes seconds for the gradients of layer norm: there the same loop without them.
    train = eqx.filter_jit(run if layer_norm else eqx.filter_value_and_grad(run, has_aux=True))
    atol = 1e-6 if layer_norm else 0  # else bit for bit
    state = model.initial_state(1)
    for block, tokens in zip(blocks, TOKENS[:128].reshape(2, 1, 64), strict=True):
        made = train(model, jnp.asarray(tokens), state)
        hidden, state = made[1] if layer_norm else made[0][1]
        np.testing.assert_allclose(block.layers[-1]["h"], hidden[0], rtol=0, atol=atol)
        assert_close(block.state, state, rtol=0, atol=atol)
    assert [block.start for block in blocks] == [0, 64]


def test_a_cell_of_ones_own_shows_its_state():
    model = unspool.LanguageModel.create(
        11, cell=create_leaky, hidden_size=6, embedding_size=4, num_layers=1
    )
    (layer,) = joined(model)
    hidden, _ = model.hidden(jnp.asarray(TOKENS)[None], model.initial_state(1))
    np.testing.assert_allclose(layer["h"], hidden[0], atol=1e-6)
    assert list(layer) == ["h"]


@pytest.mark.slow
def test_readers_decoders_and_glimpses():
    options = {"hidden_size": 5, "vocab_size": 11, "embedding_size": 4}
    tokens = jnp.asarray(TOKENS)[None]
    lengths = jnp.array([len(TOKENS)])
    for bidirectional in (True, False):
        tagger = unspool.Tagger.create(3, bidirectional=bidirectional, **options)
        outputs, _ = tagger.reader(tokens, lengths)
        layers = joined(tagger, block=64)
        np.testing.assert_allclose(layers[0]["h"], outputs[:, 0], atol=1e-6)
        assert set(layers[0]) == set("hcifgo")
    small = {"hidden_size": 5, "embedding_size": 4}
    for attention in ("luong", "bahdanau"):
        model = unspool.Translator.create(11, attention=attention, reverse_source=True, **small)
        (read,) = joined(model, TOKENS[:9])
        condition = model.encode(tokens[:, :9], jnp.array([9]))
        backwards, _ = model.encoder.with_embedding(model.decoder.embedding)(
            tokens[:, :9][:, ::-1], jnp.array([9])
        )
        np.testing.assert_allclose(read["h"][::-1], backwards[:, 0], atol=1e-6)
        start = model.decoder.start(condition)
        state, hs = start, []
        for token in TOKENS[:20]:
            _, state = model.decoder.step(jnp.array([token]), state)
            hs.append(state.cells[0].h[0])
        (written,) = joined(model.decoder, TOKENS[:20], state=start)
        np.testing.assert_allclose(written["h"], hs, atol=1e-6)


@pytest.mark.slow
def test_glimpses_are_the_steps_of_a_glimpse_classifier():
    model = unspool.GlimpseClassifier.create(
        3, (6, 6, 1), glimpses=4, hidden_size=5, glimpse_size=4
    )
    image = np.random.default_rng(1).normal(size=(6, 6)).astype(np.float32)
    (layer,) = joined(model, image)
    assert layer["h"].shape == (4, 5)
    logits = layer["h"][-1] @ np.asarray(model.output.w).T + np.asarray(model.output.b)
    np.testing.assert_allclose(logits, model(image[None])[0], atol=1e-6)


def test_on_disk_and_in_an_npz_all_is_as_in_memory(tmp_path):
    model, text = language_model(), "abcdefghijk" * 14
    spans = Spans(text[:150], TOKENS, np.arange(150), np.arange(150))
    done = []
    trace = Trace.record(model, spans, tmp_path / "trace", block=64, progress=done.append)
    layers = joined(model, block=64)
    assert_equal([dict(layer) for layer in trace.layers], layers)
    assert done == [64, 128, 150]
    assert trace.text == spans.text
    assert len(trace) == 150
    for gate, (left, right) in trace.saturation[0].items():
        values = np.abs(layers[0][gate]) if gate == "g" else layers[0][gate]
        np.testing.assert_array_equal(left, (values < 0.1).mean(axis=0))
        np.testing.assert_array_equal(right, (values > 0.9).mean(axis=0))
    assert set(trace.saturation[0]) == set("ifgo")
    trace.save(tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz") as saved:
        assert_equal({name: saved[f"layer1.{name}"] for name in layers[1]}, layers[1])
        assert bytes(saved["text"]).decode() == spans.text
        np.testing.assert_array_equal(saved["tokens"], TOKENS)
    again = Trace.record(model, spans, tmp_path / "trace", quantities=["f"])  # over the old one
    assert [list(layer) for layer in again.layers] == [["f"], ["f"]]
    (tmp_path / "mine.npy").touch()
    with pytest.raises(ConfigError, match="must be empty or hold a trace"):
        Trace.record(model, spans, tmp_path)
    few = Trace.record(model, spans, quantities="cell")
    assert [list(layer) for layer in few.layers] == [["c"], ["c"]]
    folder = few.path
    del few
    assert not folder.exists()


def test_next_tokens_are_the_softmax():
    model = language_model()
    logits, _ = model(jnp.asarray(TOKENS)[None], model.initial_state(1))
    log_p = np.asarray(jax.nn.log_softmax(logits[0]))
    found = next_tokens(model, TOKENS, k=3)
    order = np.argsort(-log_p, axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(found.ids, order)
    p = np.exp(np.take_along_axis(log_p, order, 1))
    np.testing.assert_allclose(found.probabilities, p, rtol=1e-5)
    np.testing.assert_allclose(found.surprise[1:], -log_p[np.arange(149), TOKENS[1:]], rtol=1e-5)
    assert np.isnan(found.surprise[0])
    assert found.surprise.shape == (150,)


def test_wrong_input_is_named(tmp_path):
    model = language_model()
    for call, error, message in [
        (lambda: next(trace_model(model, np.zeros(0, int))), DataError, "empty"),
        (lambda: next(trace_model(model, TOKENS, block=0)), ConfigError, "block"),
        (lambda: next(trace_model(3, TOKENS)), ConfigError, "cannot trace a int"),
        (lambda: next_tokens(model, TOKENS, k=12), ConfigError, "k must be"),
        (lambda: next_tokens(model, TOKENS[:0]), DataError, "empty"),
        (lambda: Trace(tmp_path / "none"), RunError, "does not exist"),
    ]:
        with pytest.raises(error, match=message):
            call()
