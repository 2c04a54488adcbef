"""The views on attention: Translation and Captions."""

import json
from io import BytesIO

import numpy as np
import pytest
from tests.studio.conftest import client_of, serve
from tests.support import random_like

import unspool
from unspool.studio.store import Store
from unspool.tasks.caption.run import CaptionerRun
from unspool.vision.preparation import Preparation

PAIRS = [("one two", "eins zwei"), ("three one", "drei eins"), ("two two", "zwei zwei")] * 8
SIZES = {"hidden_size": 8, "embedding_size": 8}


def picture(number):
    rng = np.random.default_rng(number)
    return rng.integers(0, 255, (16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A studio whose store has a translator and a captioner with random weights."""
    root = tmp_path_factory.mktemp("runs")
    runs = {"pairs": translator(root), "pictures": captioner(root)}
    for run in runs.values():
        run.path.mkdir()
        (run.path / "config.json").write_text(json.dumps({"format_version": 1, **run.config}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "load", lambda _, name: runs[name])
        yield root


def facts(kind):
    """What a run says of itself besides its model."""
    config = {"model": {"kind": kind}, "task": {}, "training": {}}
    return {
        "config": config,
        "step": 0,
        "val_loss_nats": None,
        "val_metrics": {},
        "best_by": "loss",
    }


def translator(root):
    pairs = root / "pairs.tsv"
    pairs.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    data = unspool.PairData.read(pairs, tokens="word", shared=False, min_count=1)
    words = len(data.target.vocab), len(data.source.vocab)
    model = random_like(unspool.Translator.create(*words, **SIZES), seed=1)
    sides = {"source": data.source, "target": data.target}
    return unspool.TranslatorRun(path=root / "pairs", model=model, **facts("translator"), **sides)


def captioner(root):
    pixels = np.stack([picture(i) for i in range(8)])
    said = [["a red square"]] * 8
    data = unspool.CaptionData.build(pixels, said, pixels, said, min_count=1)
    names = len(data.sentences.vocab)
    model = unspool.Captioner.create(names, cnn="small", condition_size=8, **SIZES)
    preparation = Preparation("small", size=16, is_trained=True)
    return CaptionerRun(
        path=root / "pictures", model=random_like(model, seed=2, scale=1), **facts("captioner"),
        sentences=data.sentences, preparation=preparation,
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(root):
    with client_of(root) as made:
        yield made


@pytest.fixture(scope="module")
def address(root):
    yield from serve(root)


def png(pixels):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    file = BytesIO()
    image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_translation_comes_with_its_tokens_and_weights(client):
    about = client.get("/api/translation/pairs").json()
    assert about["attention"] is True
    answer = client.post("/api/translation/pairs", json={"text": "one two", "num_beams": 2}).json()
    assert answer["source"] == ["one", "two", "END"]
    assert len(answer["translations"]) == 2
    for one in answer["translations"]:
        weights = np.array(one["weights"])
        assert weights.shape == (len(one["target"]), 3)
        assert weights.sum(axis=1) == pytest.approx(np.ones(len(weights)), abs=1e-5)


@pytest.mark.parametrize("text", ["", " ", "word " * 300])
def test_a_sentence_has_a_length(client, text):
    answer = client.post("/api/translation/pairs", json={"text": text})
    assert answer.status_code == 400
    assert "1 to 1000 characters" in answer.text


def test_a_caption_comes_with_a_grid_for_each_word(client):
    wide = np.repeat(picture(0), 2, axis=1)
    body = png(wide)
    answer = client.post("/api/captions/pictures?num_beams=1", content=body).json()
    weights = np.array(answer["weights"])
    assert len(weights) == len(answer["tokens"])
    assert weights.sum(axis=1) == pytest.approx(np.ones(len(weights)), abs=1e-4)
    assert answer["square"] == [0.25, 0, 0.5, 1]


def test_what_is_no_picture_and_what_is_no_captioner_are_refused(client):
    refused = client.post("/api/captions/pictures", content=b"text")
    assert refused.status_code == 400
    assert "the picture" in refused.text
    other = client.get("/api/captions/pairs")
    assert other.status_code == 400
    assert "is a translator" in other.text


def test_the_page_translates_and_reads_weights_by_arrow_keys(page):
    page.open("translation/pairs")
    page.get_by_label("sentence to translate").fill("two one")
    page.get_by_role("button", name="Translate").click()
    page.wait_for_selector(".translations li")
    page.get_by_label("Attention weights").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".readout", has_text="“one”").wait_for()


def test_the_page_shows_a_picture_word_by_word(page):
    page.open("captions/pictures")
    file = {"name": "square.png", "mimeType": "image/png", "buffer": png(picture(1))}
    page.get_by_label("choose a picture").set_input_files(file)
    page.wait_for_selector(".word")
    canvas = "document.querySelector('.picture').toDataURL()"
    page.wait_for_timeout(100)
    before = page.evaluate(canvas)
    page.get_by_label("Caption:").focus()
    page.keyboard.press("End")
    page.wait_for_timeout(100)
    assert page.locator('.word[aria-pressed="true"]').inner_text() == "END"
    assert page.evaluate(canvas) != before
