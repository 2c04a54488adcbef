"""The language task: what it carries, how it scores, what it says of itself."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unspool import ConfigError, DataError, LanguageModel, LanguageTask, Text
from unspool.tasks.text import task
from unspool.tasks.text.task import evaluate

KEY = jax.random.key(0)
VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "verse.txt"
    path.write_text(VERSE)
    return Text.read(path, val_fraction=0.4)


@pytest.fixture(scope="module")
def model(text):
    model = LanguageModel.create(text.vocab, cell="lstm", hidden_size=6, num_layers=2)
    # Weights far from the even distribution that a new model predicts.
    return jax.tree.map(lambda w: 2.5 * w, model)


def garbage(task, model):
    return jax.tree.map(lambda leaf: leaf + 0.7, task.initial_state(model))


def losses(task, model, position, state):
    nats, _, after = task.loss(model, task.batch(position), state, KEY)
    return float(nats), after


def test_the_state_is_reset_where_an_epoch_starts_and_only_there(text, model):
    task = LanguageTask(text, batch=4, steps_per_chunk=8)
    epoch = task.lanes.chunks_per_epoch
    assert epoch > 3
    fresh, dirty = task.initial_state(model), garbage(task, model)
    for position in (0, epoch, 2 * epoch):
        assert losses(task, model, position, dirty)[0] == losses(task, model, position, fresh)[0]
    for position in (1, epoch - 1, epoch + 1):
        assert losses(task, model, position, dirty)[0] != losses(task, model, position, fresh)[0]


def test_chunk_after_chunk_is_the_whole_lane(text, model):
    """Three chunks with the carried state lose what one pass over their tokens loses."""
    task = LanguageTask(text, batch=4, steps_per_chunk=8)
    state, nats = task.initial_state(model), []
    for position in range(3):
        loss, state = losses(task, model, position, state)
        nats.append(loss)
    chunks = [task.batch(position) for position in range(3)]
    inputs = np.concatenate([chunk.inputs for chunk in chunks], axis=1)
    targets = np.concatenate([chunk.targets for chunk in chunks], axis=1)
    logits, after = model(inputs, model.initial_state(4))
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)
    assert np.mean(nats) == pytest.approx(-float(picked.mean()), rel=1e-5)
    for found, expected in zip(*map(jax.tree.leaves, (state, after)), strict=True):
        assert np.allclose(found, expected, atol=1e-6)


def test_no_gradient_crosses_the_boundary(text, model):
    task = LanguageTask(text, batch=4, steps_per_chunk=8)
    gradient = jax.grad(lambda state: task.loss(model, task.batch(1), state, KEY)[0])
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(gradient(garbage(task, model))))


def exact_nats(model, tokens):
    tokens = np.asarray(tokens, np.int32)
    logits, _ = model(tokens[None, :-1], model.initial_state(1))
    logits = np.asarray(logits[0], np.float64)
    return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(tokens) - 1), tokens[1:]]


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_evaluation_scores_every_held_out_token_under_the_full_softmax(text, model, softmax):
    task = LanguageTask(text, batch=4, steps_per_chunk=8, softmax=softmax, softmax_samples=3)
    nats, found = exact_nats(model, text.val), task.evaluate(model)
    held_out = text.vocab.decode(text.val)[1:]
    assert found.tokens == len(nats) == len(held_out)
    assert found.loss_nats == pytest.approx(nats.mean(), rel=1e-5)
    assert found.bits_per_char == pytest.approx(nats.sum() / np.log(2) / len(held_out), rel=1e-5)
    assert found.bits_per_byte == pytest.approx(
        nats.sum() / np.log(2) / len(held_out.encode()), rel=1e-5
    )


@pytest.mark.parametrize("length", [2, 3, 33, 300])
def test_evaluation_of_short_texts(text, model, length):
    tokens = text.val[:length]
    found = evaluate(model, tokens, text.vocab, text.val_size)
    assert found.tokens == length - 1
    assert found.loss_nats == pytest.approx(exact_nats(model, tokens).mean(), rel=1e-5)


@pytest.mark.parametrize("window", [1, 7, 130, 10**6])
def test_windows_start_from_new_states(text, model, window, monkeypatch):
    monkeypatch.setattr(task, "EVAL_BATCH", 3)  # more than one pass, the last one padded
    monkeypatch.setattr(task, "EVAL_STEPS", 50)  # more than one chunk
    logits = jax.jit(lambda tokens: model(tokens, model.initial_state(1))[0])
    padded = np.zeros(window if window < 500 else len(text.val) - 1, np.int32)
    nats = []
    for start in range(0, len(text.val) - 1, window):
        tokens = np.asarray(text.val[start : start + window + 1], np.int32)
        padded[: len(tokens) - 1] = tokens[:-1]
        chosen = jax.nn.log_softmax(logits(padded[None])[0, : len(tokens) - 1])
        nats += (-chosen[np.arange(len(tokens) - 1), tokens[1:]]).tolist()
    found = evaluate(model, text.val, text.vocab, text.val_size, window)
    assert found.tokens == len(text.val) - 1 == len(nats)
    assert found.loss_nats == pytest.approx(np.mean(nats), rel=1e-5)


def test_evaluation_needs_two_tokens(text, model):
    with pytest.raises(DataError, match="at least 2 tokens, got 1"):
        evaluate(model, text.val[:1], text.vocab, text.val_size)


def test_dropout_is_for_training_only(text):
    model = LanguageModel.create(text.vocab, cell="gru", hidden_size=6, dropout=0.5)
    task = LanguageTask(text, batch=4, steps_per_chunk=8)
    state, batch = task.initial_state(model), task.batch(0)
    nats = {float(task.loss(model, batch, state, jax.random.key(k))[0]) for k in range(3)}
    assert len(nats) == 3
    assert task.evaluate(model) == task.evaluate(model)


@pytest.mark.slow
def test_a_sampled_softmax_learns_what_the_full_one_measures(tmp_path):
    """A few steps of descent on the sampled loss lower the full loss."""
    path = tmp_path / "words.txt"
    path.write_text(" ".join(f"w{i % 37}" for i in range(3000)))
    text = Text.read(path, tokens="word")
    task = LanguageTask(text, batch=8, steps_per_chunk=16, softmax="sampled", softmax_samples=20)
    model = LanguageModel.create(text.vocab, cell="gru", hidden_size=24, embedding_size=8)
    before = task.evaluate(model).loss_nats

    @eqx.filter_jit
    def step(model, state, batch, key):
        gradient = jax.value_and_grad(
            lambda m: task.loss(m, batch, jax.lax.stop_gradient(state), key)[::2], has_aux=True
        )
        (_, state), gradients = gradient(model)
        return jax.tree.map(lambda w, g: w - 2.0 * g, model, gradients), state

    state = task.initial_state(model)
    for position in range(60):
        key = jax.random.fold_in(KEY, position)
        model, state = step(model, state, task.batch(position), key)
    assert task.evaluate(model).loss_nats < before - 0.5


def test_auto_means_sampled_above_ten_thousand_tokens(text, tmp_path):
    assert LanguageTask(text, batch=4, steps_per_chunk=8).softmax == "full"
    path = tmp_path / "words.txt"
    path.write_text(" ".join(f"w{i}" for i in range(11_500)))
    many = Text.read(path, tokens="word", min_count=1)
    assert LanguageTask(many, batch=4, steps_per_chunk=8).softmax == "sampled"
    assert LanguageTask(many, batch=4, steps_per_chunk=8, softmax="full").softmax == "full"


def test_the_sample_begins_with_the_held_out_text_and_follows_its_seed(text, model):
    task = LanguageTask(text, batch=4, steps_per_chunk=8, sample_tokens=30)
    first, again, other = ("".join(task.sample(model, seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert first[0] == text.vocab.decode(text.val[:1])
    assert len(first) == 31
    assert LanguageTask(text, batch=4, steps_per_chunk=8, sample_tokens=0).sample(model, 1) is None


def test_a_sample_of_endless_words_ends(tmp_path, monkeypatch):
    """A vocabulary that somebody sent may have words of any length."""
    (tmp_path / "t.txt").write_text(f"{'a' * 9_000} {'b' * 9_000}\n" * 20)
    text = Text.read(tmp_path / "t.txt", tokens="word")
    model = LanguageModel.create(text.vocab, hidden_size=4)
    task = LanguageTask(text, batch=1, steps_per_chunk=2, sample_tokens=1000)
    whole = "".join(task.sample(model, 0))
    monkeypatch.setattr("unspool.tasks.text.task.MAX_SAMPLE_BYTES", 1_000_000)
    part = "".join(task.sample(model, 0))
    assert whole.startswith(part)
    assert len(part) <= 1_010_000 < len(whole)


def test_what_it_says_of_itself(text):
    task = LanguageTask(text, batch=4, steps_per_chunk=8, seed=5)
    said = json.loads(json.dumps(task.describe()))
    assert said["text_sha256"] == text.sha256
    assert said["vocabulary"] == text.vocab.fingerprint()
    assert (said["batch"], said["steps_per_chunk"], said["seed"]) == (4, 8, 5)
    assert (said["train_tokens"], said["val_tokens"]) == (len(text.train), len(text.val))
    assert task.notes == ("852 tokens to train on, 568 held out, 24 distinct",)
    assert task.tokens_per_batch == 32


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 0}, {"steps_per_chunk": 0}, {"softmax": "half"}, {"softmax_samples": 0},
        {"sample_tokens": -1}, {"seed": -1},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(text, options):
    (name,) = options
    with pytest.raises(ConfigError, match=name.removesuffix("_per_chunk")):
        LanguageTask(text, **{"batch": 4, "steps_per_chunk": 8, **options})


def test_a_text_too_short_for_one_chunk_is_refused(text):
    with pytest.raises(DataError, match="more than batch \\* steps = 64 \\* 64"):
        LanguageTask(text)


def even(vocab):
    """A model whose tokens are all as likely: ln V nats each."""
    model = LanguageModel.create(vocab, cell="gru", hidden_size=4)
    return jax.tree.map(jnp.zeros_like, model)


def evaluated(vocab, path, content):
    path.write_text(content)
    text = Text.read(path, vocab=vocab, val_fraction=0)
    return evaluate(even(vocab), text.train, vocab, text.train_size)


def test_bits_per_character_of_words_by_hand(tmp_path):
    """The first word is unknown and not predicted; of the others every bit counts."""
    (tmp_path / "t.txt").write_text("the and the and the and\n" * 9)
    vocab = Text.read(tmp_path / "t.txt", tokens="word", val_fraction=0).vocab
    token, q = np.log2(len(vocab)), tmp_path / "q.txt"
    assert vocab.replaced == (0, 9 * 7)  # "the" begins lines, " the" is inside them: both are known
    assert evaluated(vocab, q, "Q the\n").bits_per_char == pytest.approx(2 * token / 5)
    found = evaluated(vocab, q, "the owl\n")
    spelling = vocab.spelling_nats(" owl") / np.log(2)
    assert found.bits_per_char == pytest.approx((2 * token + spelling) / 5)
    assert found.metrics == {"unknown_share": 0.5}


def test_a_word_that_stands_for_another_costs_bits(tmp_path):
    """'heron' begins one line of the training part, and is ' heron' elsewhere: 1 of 28 words."""
    (tmp_path / "t.txt").write_text("heron a heron\n" + "a heron a\n" * 7)
    text = Text.read(tmp_path / "t.txt", tokens="word", val_fraction=0)
    vocab = text.vocab
    words, rare = len(text.train), (1 + 1) / (len(text.train) + 2)
    assert vocab.replaced == (1, words)
    token = np.log2(len(vocab))
    found = evaluated(vocab, tmp_path / "q.txt", "a\nheron\n")
    costs = -2 * np.log2(1 - rare) - np.log2(rare)
    assert found.bits_per_char == pytest.approx((3 * token + costs) / 7)
    assert found.metrics == {}


@pytest.mark.parametrize("tokens", ["word", "char"])
def test_no_vocabulary_makes_random_words_cheaper_than_they_are(tokens, tmp_path):
    """Words of 6 letters out of 8: 18 bits and then a blank, 18 / 7 bits a character."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(3000)]
    (tmp_path / "t.txt").write_text(" ".join(words))
    text = Text.read(tmp_path / "t.txt", tokens=tokens)
    found = evaluate(even(text.vocab), text.val, text.vocab, text.val_size)
    assert 18 / 7 < found.bits_per_char < 2 * 18 / 7
    alien = evaluated(text.vocab, tmp_path / "q.txt", "qxzjkvw " * 60)
    assert alien.bits_per_char > np.log2(7) * 7 / 8  # at the least


def test_texts_that_did_not_count_what_is_unknown_have_no_bits_per_character(tmp_path):
    """As old runs wrote them."""
    (tmp_path / "t.txt").write_text("the and the and the and\n" * 9 + "owl owl owl the\n")
    text = Text.read(tmp_path / "t.txt", tokens="word", directory=tmp_path / "d")
    assert text.val_size.unknown == 3
    path = tmp_path / "d" / "text.json"
    said = json.loads(path.read_text())
    for part in said["parts"].values():
        for name in ("first_chars", "first_bytes", "unknown", "spelling_nats"):
            del part[name]
    path.write_text(json.dumps(said))
    old = Text.open(tmp_path / "d")
    found = evaluate(even(old.vocab), old.val, old.vocab, old.val_size)
    assert (found.bits_per_char, found.bits_per_byte) == (None, None)
    assert found.metrics == {"unknown_share": 3 / (len(old.val) - 1)}
    assert "bits_per_char" not in found.as_dict()
