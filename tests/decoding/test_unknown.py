"""The unknown token is read in prompts and never written; spaces at the end of prompts."""

import equinox as eqx
import numpy as np
import pytest
from tests.support import mostly_slow, slow

from unspool import Captioner, Generator, LanguageModel, Translator
from unspool.data import Sentences, build_vocabulary
from unspool.decoding import LanguageStepper
from unspool.decoding.stepper import text_stepper
from unspool.tasks.caption.decode import describe
from unspool.tasks.generate.decode import generate
from unspool.tasks.text.stream import stream_text
from unspool.tasks.translate.decode import translate

TEXT = 'the heron counts the stones and the "boats"\n' * 3
VOCABULARIES = {
    "char": build_vocabulary("char", [TEXT], unknown=True),
    "word": build_vocabulary("word", [TEXT]),
}
UNKNOWN = {"char": "\ufffd", "word": " <unk>"}
HOT = {"temperature": 1e30, "max_new_tokens": 40}  # all tokens are as likely


def likely(model, token):
    """The model that writes a token nearly always."""
    return eqx.tree_at(lambda m: m.b_out, model, model.b_out.at[token].set(40.0))


def language(vocab, cell="gru"):
    model = LanguageModel.create(vocab, cell=cell, hidden_size=4, seed=1)
    return likely(model, vocab.unknown_id)


def written(model, vocab, prompt="the", **options):
    return ["".join(row) for row in zip(*stream_text(model, vocab, prompt, **options), strict=True)]


@pytest.mark.parametrize("kind", mostly_slow(VOCABULARIES, "char"))
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    "options",
    [{}, HOT,
     *slow({"temperature": 0.0}, {"top_k": 10**6}, {"top_p": 1.0}, {"weights": "int8"})],
)  # fmt: skip
def test_samples_have_no_unknown_token(kind, native, options, monkeypatch):
    vocab = VOCABULARIES[kind]
    model = language(vocab)
    if not native:
        monkeypatch.setattr("unspool.decoding.stepper.why_not", lambda model: "for the test")
        assert LanguageStepper(model).network is None
    options = {"count": 3, "max_new_tokens": 40, **options}
    texts = written(model, vocab, **options)
    assert all(text and UNKNOWN[kind] not in text for text in texts)
    if options.get("temperature", 1.0) <= 1:
        assert any(
            UNKNOWN[kind] in text for text in written(model, vocab, keep_unknown=True, **options)
        )


def test_generators_write_no_unknown_token():
    vocab = VOCABULARIES["char"]
    model = Generator.create(2, len(vocab), cell="gru", hidden_size=4)
    model = eqx.tree_at(lambda m: m.decoder, model, likely(model.decoder, vocab.unknown_id))
    options = {"max_new_tokens": 20, "count": 3}
    without, with_unknown = (
        text_stepper(model.decoder, vocab, keep_unknown=keep) for keep in (False, True)
    )
    assert "\ufffd" not in "".join(generate(model, without, vocab, 1, "t", **options))
    assert "\ufffd" in "".join(generate(model, with_unknown, vocab, 1, "t", **options))


@pytest.mark.parametrize("search", [{"num_beams": 3, "n_best": 3}, {"do_sample": True}])
@pytest.mark.parametrize("kind", VOCABULARIES)
def test_translations_and_captions_have_no_unknown_token(kind, search):
    side = Sentences.build([TEXT.strip()] * 3, kind, None, None)
    options = {"hidden_size": 4, "embedding_size": 4}
    unknown = side.vocab.unknown_id

    def eager(model):
        return eqx.tree_at(lambda m: m.decoder, model, likely(model.decoder, unknown))

    translator = eager(Translator.create(len(side.vocab), **options))
    captioner = eager(Captioner.create(len(side.vocab), 3, condition_size=4, **options))
    rows = np.ones((2, 3), np.float32)
    made = [
        *translate(translator, side, [side.encode("the heron")], max_new_tokens=6, **search),
        *describe(captioner, side, rows, max_new_tokens=6, **search),
    ]
    for best in made:
        assert best
        for one in best:
            assert unknown not in one.ids
            assert np.isfinite(one.log_p)


@pytest.mark.parametrize("count", [1, 2])
def test_blanks_at_the_end_of_a_prompt_belong_to_the_next_word(count):
    vocab = VOCABULARIES["word"]
    model = LanguageModel.create(vocab, cell="gru", hidden_size=4, seed=2)
    options = {"count": count, "max_new_tokens": 12, "temperature": 0.7}
    plain = written(model, vocab, "the heron", **options)
    for blanks in (" ", "  "):
        found = written(model, vocab, "the heron" + blanks, **options)
        assert found == [text.removeprefix(" ") for text in plain]
    assert any(text.startswith(" ") for text in plain)


def test_bytes_are_given_as_they_are():
    vocab = build_vocabulary("byte", [])
    model = likely(LanguageModel.create(vocab, cell="gru", hidden_size=4), 0xE9)
    (text,) = written(
        model, vocab, "caf", max_new_tokens=8, temperature=0.0, errors="surrogateescape"
    )
    assert text.encode("utf-8", "surrogateescape") == b"\xe9" * 8
    (text,) = written(model, vocab, "caf", max_new_tokens=8, temperature=0.0)
    assert text == "\ufffd" * 8
