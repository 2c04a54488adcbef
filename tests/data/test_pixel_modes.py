"""Every kind of pixel: a value for each mode, or a one-line error."""

import io

import numpy as np
import pytest

from unspool.data import decode_picture, pixels
from unspool.errors import DataError

Image = pytest.importorskip("PIL.Image")


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def filled(mode, value):
    return Image.new(mode, (3, 2), value)


def of(values, kind):
    return Image.fromarray(np.full((2, 3), values, kind))


def palette(index, transparency=None):
    image = Image.new("P", (3, 2), index)
    image.putpalette([0, 0, 0, 200, 100, 50])
    options = {} if transparency is None else {"transparency": transparency}
    return saved(image, "PNG", **options)


MODES = {
    "1": (saved(filled("1", 1), "PNG"), (255, 255, 255)),
    "1 black": (saved(filled("1", 0), "TIFF"), (0, 0, 0)),
    "L": (saved(filled("L", 200), "PNG"), (200, 200, 200)),
    "L, of a TIFF": (saved(filled("L", 200), "TIFF"), (200, 200, 200)),
    "L, one value transparent": (saved(filled("L", 200), "PNG", transparency=200), (255,) * 3),
    "LA": (saved(filled("LA", (100, 255)), "PNG"), (100, 100, 100)),
    "LA, transparent": (saved(filled("LA", (100, 0)), "PNG"), (255, 255, 255)),
    "LA, half": (saved(filled("LA", (100, 51)), "PNG"), (224, 224, 224)),
    "P": (palette(1), (200, 100, 50)),
    "P, transparent": (palette(1, 1), (255, 255, 255)),
    "P, another transparent": (palette(1, 0), (200, 100, 50)),
    "P, half": (palette(1, bytes([255, 51])), (244, 224, 214)),
    "RGB": (saved(filled("RGB", (1, 2, 3)), "PNG"), (1, 2, 3)),
    "RGB, one colour transparent": (
        saved(filled("RGB", (1, 2, 3)), "PNG", transparency=(1, 2, 3)), (255, 255, 255)
    ),
    "RGBA": (saved(filled("RGBA", (100, 50, 0, 51)), "PNG"), (224, 214, 204)),
    "CMYK": (saved(filled("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
    "16 bits": (saved(of(200 * 257, np.uint16), "PNG"), (200, 200, 200)),
    "16 bits of a TIFF": (saved(of(200 * 257, np.uint16), "TIFF"), (200, 200, 200)),
    "16 bits, dark": (saved(of(200, np.uint16), "PNG"), (1, 1, 1)),
    "16 bits, transparent": (saved(of(300, np.uint16), "PNG", transparency=300), (255,) * 3),
    "16 bits, another transparent": (
        saved(of(25700, np.uint16), "PNG", transparency=300), (100, 100, 100)
    ),
    "16 bits of a PGM": (b"P5 3 2 65535\n" + b"\xc8\xc8" * 6, (200, 200, 200)),
    "10 bits of a PGM": (b"P5 3 2 1023\n" + b"\x03\xff" * 6, (255, 255, 255)),
    "16 bits of JPEG 2000": (saved(of(200 * 257, np.uint16), "JPEG2000"), (200, 200, 200)),
}  # fmt: skip
if int(Image.__version__.split(".")[0]) >= 13:  # before, Pillow could not read what it wrote
    MODES["YCbCr"] = (saved(filled("YCbCr", (81, 90, 240)), "TIFF"), (238, 14, 14))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_its_value(mode):
    content, value = MODES[mode]
    found = decode_picture(content)
    assert (found.shape, found.dtype) == ((2, 3, 3), np.uint8)
    np.testing.assert_allclose(found.astype(int), np.broadcast_to(value, found.shape), atol=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(of(200, np.int32), "TIFF"), "has 32-bit pixels, whose white is unknown: save it"),
        (saved(of(70_000, np.int32), "TIFF"), "has 32-bit pixels"),
        (saved(of(200.0, np.float32), "TIFF"), "has 32-bit pixels"),
        (saved(filled("LAB", (200, 10, 10)), "TIFF"), "has LAB colours, which are not supported"),
    ],
)
def test_what_has_no_known_white_is_refused(content, message):
    with pytest.raises(DataError, match=f"^a.tif {message}"):
        decode_picture(content, "a.tif")


def test_bands_are_seamless(monkeypatch):
    draw = np.random.default_rng(0).integers(0, 256, (13, 5, 4), np.uint8)
    content = saved(Image.fromarray(draw), "PNG")
    whole = decode_picture(content)
    for band in (1, 4, 13):
        monkeypatch.setattr(pixels, "_BAND", band)
        assert np.array_equal(decode_picture(content), whole)


@pytest.mark.parametrize(("form", "options", "most"), [
    ("PNG", {}, 100), ("JPEG", {}, 100), ("JPEG", {"progressive": True}, 50), ("WEBP", {}, 50),
    ("JPEG2000", {}, 40), ("TIFF", {}, 100),
])  # fmt: skip
def test_formats_that_take_more_memory_may_have_fewer_pixels(monkeypatch, form, options, most):
    monkeypatch.setattr(pixels, "MAX_PIXELS", 100)
    try:
        fits, is_large = (
            saved(Image.new("RGB", (side, 10)), form, **options)
            for side in (most // 10, most // 10 + 1)
        )
    except (KeyError, OSError):
        pytest.skip(f"Pillow has no {form} here")
    assert decode_picture(fits).size == most * 3
    with pytest.raises(DataError, match=f"has more than {most} pixels: make it smaller"):
        decode_picture(is_large)
