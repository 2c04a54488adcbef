"""Translating: by search, by sampling, in batches; and attention."""

import jax.numpy as jnp
import numpy as np
import pytest

from unspool import ConfigError, Translator
from unspool.data import Sentences
from unspool.tasks.translate.decode import attend, translate

TEXTS = ["a b c", "b", "c a a b c a b", "b c"] * 3


@pytest.fixture(scope="module")
def side():
    return Sentences.build(["a b c"], "char", None, None)


@pytest.fixture(scope="module")
def model(side):
    """Weights large enough for different sentences."""
    drawn = Translator.create(
        len(side.vocab), hidden_size=8, embedding_size=8, attention="luong", seed=1
    )
    table = drawn.decoder.embedding * 10
    return drawn.__class__(
        drawn.encoder, drawn.decoder.__class__(**{**vars(drawn.decoder), "embedding": table})
    )


def texts(found):
    return [[one.text for one in best] for best in found]


def test_a_sentence_does_not_see_the_others(side, model):
    sources = [side.encode(text) for text in TEXTS]
    options = {"num_beams": 3, "n_best": 2, "max_new_tokens": 12}
    together = translate(model, side, sources, batch=4, **options)
    for source, best in zip(sources[:4], together, strict=False):
        (alone,) = translate(model, side, [source], **options)
        assert texts([alone]) == texts([best])
        np.testing.assert_allclose([x.score for x in alone], [x.score for x in best], rtol=1e-4)
    assert texts(together[:4]) == texts(together[4:8])
    assert len({best[0].text for best in together}) > 1


def test_scores_are_those_of_the_model(side, model):
    (best,) = translate(model, side, [side.encode("a b c")], num_beams=4, n_best=4)
    order = [(not one.finished, -one.score) for one in best]
    assert order == sorted(order)
    source = jnp.asarray(side.encode("a b c"))[None]
    for one in best:
        tokens = np.append(one.ids, side.end)[: len(one.ids) + one.finished]
        given = jnp.asarray(np.append(side.end, tokens[:-1]))[None]
        logits = np.array(model.logits(model(source, jnp.array([source.shape[1]]), given)))[0]
        logits[:, side.vocab.unknown_id] = -np.inf  # it is never written
        log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        total = log_p[np.arange(len(tokens)), tokens].sum()
        assert one.log_p == pytest.approx(total, rel=1e-4)
        assert one.score == pytest.approx(total / len(tokens), rel=1e-4)


def test_drawn_translations_follow_seed_sentence_and_number(side, model):
    sources = [side.encode(text) for text in TEXTS]
    options = {"do_sample": True, "n_best": 3, "max_new_tokens": 16, "seed": 5}
    together = translate(model, side, sources, batch=4, **options)
    again = translate(model, side, sources, batch=64, **options)
    assert texts(together) == texts(again)
    assert texts(together[4:]) == texts(translate(model, side, sources[4:], first=4, **options))
    other = translate(model, side, sources, **{**options, "seed": 6})
    assert texts(together) != texts(other)
    assert len({one.text for best in together for one in best}) > 6
    cold = translate(model, side, sources[:2], **{**options, "temperature": 0.0})
    greedy = translate(model, side, sources[:2], num_beams=1, max_new_tokens=16)
    assert [{x.text for x in best} for best in cold] == [{best[0].text} for best in greedy]
    assert cold[0][0].log_p == pytest.approx(greedy[0][0].log_p, rel=1e-4)


@pytest.mark.parametrize("how", [{"num_beams": 3}, {"do_sample": True, "max_new_tokens": 16}])
@pytest.mark.parametrize("form", ["power", "gnmt"])
def test_scores_are_log_p_divided_by_the_length_penalty(side, model, how, form):
    options = {"n_best": 3, "length_penalty": 0.6, "length_penalty_form": form, **how}
    ((found),) = translate(model, side, [side.encode("a b c")], **options)
    assert len({len(one.ids) for one in found}) > 1
    for one in found:
        length = len(one.ids) + one.finished
        divisor = length**0.6 if form == "power" else (5 + length) ** 0.6 / (5 + 1) ** 0.6
        assert one.score == pytest.approx(one.log_p / divisor, rel=1e-5)


def test_what_has_no_end_is_returned_and_marked(side, model):
    silent = model.decoder.b_out.at[side.end].set(-jnp.inf)
    endless = model.__class__(
        model.encoder, model.decoder.__class__(**{**vars(model.decoder), "b_out": silent})
    )
    ((one,),) = translate(endless, side, [side.encode("a b")], max_new_tokens=6)
    assert not one.finished
    assert len(one.ids) == 6
    ((drawn,),) = translate(endless, side, [side.encode("a b")], do_sample=True, max_new_tokens=6)
    assert (drawn.finished, len(drawn.ids)) == (False, 6)
    assert np.isfinite(drawn.score)


def test_attention_of_a_translation(side, model):
    sources = [side.encode("a b c"), side.encode("b")]
    ids = [best[0].ids for best in translate(model, side, sources, num_beams=2, max_new_tokens=20)]
    for source, row, weights in zip(sources, ids, attend(model, side, sources, ids), strict=True):
        assert weights.shape == (len(row) + 1, len(source))
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    plain = Translator.create(len(side.vocab), hidden_size=4, embedding_size=4, attention="none")
    with pytest.raises(ConfigError, match="this model has no attention"):
        attend(plain, side, sources, ids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_best": 6}, r"n_best must be at most num_beams \(5\), got 6"),
        ({"n_best": 0}, "n_best must be at least 1, got 0"),
        ({"top_k": 3}, "temperature, top_k and top_p need do_sample"),
        ({"do_sample": True, "length_penalty": 9}, "length_penalty must be from -5 to 5, got 9"),
        ({"do_sample": True, "temperature": -1.0}, "temperature must be at least 0"),
    ],
)
def test_options_that_break_a_rule(side, model, options, message):
    with pytest.raises(ConfigError, match=message):
        translate(model, side, [side.encode("a")], **options)


def test_nothing_to_translate(side, model):
    assert translate(model, side, []) == []
