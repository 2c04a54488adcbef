"""The picture of glimpses: well-formed, complete, its boxes where the network looked."""

import base64
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from unspool.tasks.glimpse.plot import MARGIN, SIDE, GlimpseFigure, png, render

SVG = "{http://www.w3.org/2000/svg}"
PLACES = np.array([[0, 0], [-1, 1], [0.5, -0.5]])


def figure(label="7", truth=None, shape=(8, 8, 1)):
    image = np.linspace(0, 16, int(np.prod(shape))).reshape(shape)
    return GlimpseFigure(image, PLACES, np.zeros((3, 2, 4, 4, shape[2])), label, 0.875, truth)


def unpacked(data):
    """The pixels of a PNG file as we write it, one filterless line after the other."""
    width, height = struct.unpack(">II", data[16:24])
    channels = {0: 1, 2: 3}[data[25]]
    begin = data.index(b"IDAT")
    size = struct.unpack(">I", data[begin - 4 : begin])[0]
    lines = np.frombuffer(zlib.decompress(data[begin + 4 : begin + 4 + size]), np.uint8)
    return lines.reshape(height, 1 + width * channels)[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_png(channels):
    pixels = np.arange(2 * 3 * channels, dtype=np.uint8).reshape(2, 3, channels)
    assert np.array_equal(unpacked(png(pixels)), pixels)
    assert np.array_equal(unpacked(png(pixels, 2)), pixels.repeat(2, axis=0).repeat(2, axis=1))
    assert np.array_equal(unpacked(png(pixels[..., :1].repeat(2, axis=2))), pixels[..., :1])


def test_boxes_are_where_the_network_looked():
    root = ElementTree.fromstring(render([figure()]))
    boxes = [box for box in root.iter(f"{SVG}rect") if box.get("fill") == "none"]
    pixel = SIDE / 8
    found = [[float(box.get(name)) for name in ("x", "y", "width", "height")] for box in boxes]
    for step, (y, x) in enumerate(PLACES):
        for scale in (1, 2):
            side = 4 * scale * pixel
            corner = [MARGIN + (at + 1) / 2 * SIDE - side / 2 for at in (x, y)]
            assert found[2 * step + scale - 1] == pytest.approx([*corner, side, side], abs=0.1)
    numbers = [text.text for text in root.iter(f"{SVG}text") if text.get("text-anchor")]
    assert numbers == ["1", "2", "3"]


def test_labels_truths_and_counts():
    drawn = render([figure("7", "7"), figure("<b>", "9"), figure("1")])
    root = ElementTree.fromstring(drawn)
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts[0].startswith("3 images, 1 of 2 right.")
    assert {"7 0.88 \u2713", "<b> 0.88 \u2717 is 9", "1 0.88"} <= set(texts)


def test_an_image_has_all_shades_and_its_own_proportions():
    root = ElementTree.fromstring(render([figure(shape=(4, 8, 1))]))
    image = next(root.iter(f"{SVG}image"))
    assert (float(image.get("width")), float(image.get("height"))) == (SIDE, SIDE / 2)
    pixels = unpacked(base64.b64decode(image.get("href").split(",")[1]))
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_a_page_holds_the_picture_and_needs_nothing_else():
    figures = [figure(), figure(shape=(8, 8, 3))]
    page = render(figures, as_html=True)
    assert page.startswith("<!doctype html>")
    assert render(figures) in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
