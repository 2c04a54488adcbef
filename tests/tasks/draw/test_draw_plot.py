"""The picture of images that are drawn: well-formed, complete, windows where they are."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.tasks.glimpse.test_glimpse_plot import SVG, unpacked

from unspool import ConfigError, DrawModel
from unspool.models.draw import Drawing
from unspool.models.draw_window import Window
from unspool.tasks.draw.plot import COLUMNS, GAP, READ, TILE, WRITE, box, writer

rng = np.random.default_rng(0)
LABELS = ("<7>", "8")


@pytest.fixture(scope="module")
def model():
    return DrawModel.create((4, 8, 1), read_size=2, write_size=3, hidden_size=2, latent_size=1)


def drawing(steps=3, channels=1, windows=True):
    canvases = rng.random((steps, 2, 4, 8, channels))
    place = Window(*(np.full((steps, 2), value) for value in (2.5, 4.5, 1.0, 0.25, 1.0)))
    return Drawing(canvases, *((place, place) if windows else (None, None)))


def test_a_box_is_one_deviation_wider_than_the_filters():
    """Three filters a pixel apart in the middle of an image, their deviation half a pixel."""
    found = box(drawing().writes, 0, 0, 3, 4, 8)
    assert found == pytest.approx((0.5 / 4, 2.5 / 8, 3.5 / 4, 5.5 / 8))


def test_svg(model):
    root = ElementTree.fromstring(writer("a.svg")(drawing(), LABELS, model))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts == ["Step", "1", "2", "3", "<7>", "8"]
    assert len(list(root.iter(f"{SVG}image"))) == 6
    boxes = [b for b in root.iter(f"{SVG}rect") if b.get("fill") == "none"]
    written = [b for b in boxes if b.get("stroke") == f"rgb{WRITE}"]
    assert (len(boxes), len(written)) == (12, 6)
    found = [float(written[0].get(name)) for name in ("x", "y", "width", "height")]
    assert found == pytest.approx([2.5 / 8 * TILE, 4, 3 / 8 * TILE, 24])


def test_many_steps_are_thinned_out_in_pictures_and_not_on_pages(model):
    many = drawing(steps=40)
    root = ElementTree.fromstring(writer("a.svg")(many, LABELS, model))
    shown = [int(t.text) for t in root.iter(f"{SVG}text") if (t.text or "").isdecimal()][:-1]
    assert (len(shown), shown[0], shown[-1]) == (COLUMNS, 1, 40)
    assert writer("a.html")(many, LABELS, model).count(b"<div hidden>") == 40


def test_a_page_needs_nothing_else(model):
    page = writer("a.html")(drawing(channels=3), (None, None), model).decode()
    assert page.startswith("<!doctype html>")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert 'max="3"' in page
    for part in re.findall(r"<div hidden>(.*?)</div>", page, re.S):
        assert len(list(ElementTree.fromstring(part).iter(f"{SVG}image"))) == 2


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_png(model, channels):
    found = drawing(channels=channels)
    pixels = unpacked(writer("a.png")(found, LABELS, model))
    assert pixels.shape == (GAP + 2 * (TILE // 2 + GAP), GAP + 3 * (TILE + GAP), 3)
    tile = pixels[GAP : GAP + TILE // 2, GAP : GAP + TILE]
    shade = found.canvases[0, 0, 0, 0] * 255
    wanted = shade if channels == 3 else [shade.mean()] * 3
    assert tile[0, 0].tolist() == pytest.approx(wanted, abs=1)
    assert tile[4, 22].tolist() == list(WRITE)  # the upper edge of its box
    assert tile[8, 30].tolist() == list(READ)


def test_without_attention_there_are_no_boxes(model):
    for suffix in ("svg", "html"):
        page = writer(f"a.{suffix}")(drawing(windows=False), LABELS, model).decode()
        assert "stroke" not in page
        assert "Red" not in page


def test_other_suffixes_are_refused():
    with pytest.raises(ConfigError, match=r"plot must be a file that ends in .html, .svg, .png"):
        writer("a.pdf")
