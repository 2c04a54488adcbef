"""What DRAW is trained on and measured by."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import random_like

import unspool
from unspool.data import GreyEncoder, LabelledData, Sequences, binarised
from unspool.models.draw import DrawModel
from unspool.tasks.draw import task as draw_task
from unspool.tasks.draw.decode import draw, text_art
from unspool.tasks.draw.task import EVALUATION_SEED, evaluate_drawing

rng = np.random.default_rng(0)
SHAPE = (3, 2, 1)
infer = eqx.filter_jit(DrawModel.infer)


@pytest.fixture(scope="module")
def model():
    sizes = {"glimpses": 2, "read_size": 2, "write_size": 2, "latent_size": 3, "hidden_size": 4}
    create = lambda: DrawModel.create(SHAPE, **sizes, cell="rnn", classes=2, embedding_size=2)  # noqa: E731
    return random_like(jax.eval_shape(create), seed=1)


@pytest.fixture(scope="module")
def data():
    rows = list(rng.random((10, 3, 2)).astype(np.float32))
    sequences = Sequences.join(rows, [0, 1] * 5)
    return LabelledData(GreyEncoder(SHAPE, 1.0), ("a", "b"), sequences, sequences, False)


def test_the_loss_is_the_mean_bound_of_real_rows(model, data):
    """On images of zeros and ones (their probabilities here), which a step draws anew."""
    p = data.train.values.round()
    certain = LabelledData(
        data.encoder, data.labels, data.train._replace(values=p), data.val, False
    )
    task = unspool.DrawTask(certain, batch=8)
    batch = next(b for b in map(task.batch, range(2)) if not b.lengths.all())
    key = jax.random.key(3)
    loss = eqx.filter_jit(task.loss)(model, batch, (), key)
    noise = model.noise(8, jax.random.split(key)[1])
    found = infer(model, batch.inputs.reshape(-1, *SHAPE), batch.targets, noise)
    real = batch.lengths > 0
    wanted = (found.reconstruction + found.kl)[real].mean()
    assert float(loss.objective) == float(loss.nats) == pytest.approx(float(wanted), rel=1e-5)


def test_a_step_draws_pixels_anew_and_an_evaluation_does_not(model, data, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        DrawModel, "infer", lambda self, images, labels, noise: drawn.append(images) or 1 / 0
    )
    task = unspool.DrawTask(data, batch=10)
    for key in (1, 2, 2):
        with pytest.raises(ZeroDivisionError):
            task.loss(model, task.batch(0), (), jax.random.key(key))
    assert set(np.unique(drawn)) == {0, 1}
    assert [np.array_equal(drawn[i], drawn[2]) for i in (0, 1)] == [False, True]


def test_evaluation(model, data, monkeypatch):
    """Over batches that do not fill up; with one importance sample the sampled bound."""
    monkeypatch.setattr(draw_task, "EVALUATION_BATCH", 4)
    seen = []
    real = draw_task._terms

    def terms(model, images, labels, key):
        seen.append((images, labels, key))
        return real(model, images, labels, key)

    monkeypatch.setattr(draw_task, "_terms", terms)
    found = evaluate_drawing(model, data.val, SHAPE, importance_samples=1)
    pixels = binarised(data.val.values, EVALUATION_SEED).reshape(10, *SHAPE)
    np.testing.assert_array_equal(np.concatenate([x for x, _, _ in seen])[:10], pixels)
    bounds, weighted = [], []
    for images, labels, key in seen:
        one = infer(model, images, labels, model.noise(4, key))
        bounds.append(one.reconstruction + one.kl)
        noise = model.noise(4, jax.random.split(key, 1)[0])
        one = infer(model, images, labels, noise)
        weighted.append(one.reconstruction - one.log_ratio)
    bounds, weighted = (np.concatenate(x)[:10] for x in (bounds, weighted))
    assert found.unit == "image"
    assert (found.tokens, found.best_by) == (10, "loss")
    assert found.loss_nats == pytest.approx(bounds.mean(), rel=1e-5)
    assert found.metrics["standard_error"] == pytest.approx(bounds.std(ddof=1) / 10**0.5, rel=1e-4)
    parts = found.metrics["reconstruction_nats"] + found.metrics["kl_nats"]
    assert parts == pytest.approx(found.loss_nats)
    assert found.metrics["nll_nats"] == pytest.approx(weighted.mean(), rel=1e-5)
    error = weighted.std(ddof=1) / 10**0.5
    assert found.metrics["nll_standard_error"] == pytest.approx(error, rel=1e-4)
    again = evaluate_drawing(model, data.val, SHAPE, importance_samples=1)
    assert again == found
    assert evaluate_drawing(model, data.val, SHAPE, 50).metrics["nll_nats"] < found.loss_nats


def test_an_image_follows_from_its_number_and_label(model):
    """However many are drawn with it."""
    few, many = draw(model, np.array([0, 1]), seed=5), draw(model, np.array([0, 1, 1]), seed=5)
    np.testing.assert_allclose(few.canvases, many.canvases[:, :2], atol=1e-6)
    other = draw(model, np.array([0, 1]), seed=6)
    assert not np.allclose(few.canvases, other.canvases, atol=1e-3)
    assert few.canvases.shape == (2, 2, *SHAPE)
    assert few.writes.y.shape == (2, 2)


def test_images_as_text():
    image = np.zeros((3, 4, 1))
    image[:2, 0], image[:2, 1], image[2, 3] = 1, 0.5, 1
    assert text_art(np.stack([image, image])) == "@+    @+\n   +     +"
    wide = text_art(np.ones((3, 2, 60, 1)))
    assert wide == "\n\n".join(["@" * 60] * 3)
    assert text_art(np.full((1, 2, 2, 1), np.nan)) == ""


def test_samples_in_training_have_the_first_labels(model, data):
    lines = unspool.DrawTask(data).sample(model, seed=1).split("\n")
    assert len(lines) == 2
    assert jnp.isfinite(draw(model, np.zeros(1, int), 1).canvases).all()
