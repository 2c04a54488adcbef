"""How images were drawn: canvases and windows step by step, in one file on its own."""

import base64
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import ConfigError
from ...models.draw import Drawing, DrawModel
from ...models.draw_window import Window
from ..glimpse.plot import png

# Sizes are in pixels of the picture.
TILE, GAP, TOP, LEFT = 64, 6, 40, 64
COLUMNS = 12  # steps that a picture without a slider shows, the last among them
WRITE, READ = (214, 40, 40), (46, 139, 87)  # red and green
DASHED = ' stroke-dasharray="3 3"'

Writer = Callable[[Drawing, Sequence[str | None], DrawModel], bytes]


class Box(NamedTuple):
    """Edges of a window as shares of the image's height and width; they may lie outside."""

    top: float
    left: float
    bottom: float
    right: float


def writer(path: str | Path) -> Writer:
    """What writes a file of this suffix; ConfigError if none does."""
    found = _WRITERS.get(Path(path).suffix.lower())
    if found is None:
        raise ConfigError(f"plot must be a file that ends in {', '.join(_WRITERS)}, got {path}")
    return found


def box(place: Window, step: int, image: int, size: int, height: int, width: int) -> Box:
    """From one deviation outside of the first filter to one outside of the last."""
    y, x, stride, variance, _ = (float(np.asarray(part)[step, image]) for part in place)
    reach = (size - 1) / 2 * stride + variance**0.5
    # The centre of the first pixel is at 1, half a pixel from the edge.
    edges = (y - 0.5 - reach, x - 0.5 - reach, y - 0.5 + reach, x - 0.5 + reach)
    return Box(*(edge / side for edge, side in zip(edges, (height, width) * 2, strict=True)))


def svg(drawing: Drawing, labels: Sequence[str | None], model: DrawModel) -> bytes:
    """A row an image and a column a step, as SVG."""
    steps, tile = _columns(drawing), _tile_size(drawing)
    body = [
        f'<text x="{_at(column, tile[1]) + tile[1] / 2:.1f}" y="{TOP - 8}" text-anchor="middle">'
        f"{step + 1}</text>"
        for column, step in enumerate(steps)
    ]
    for row, label in enumerate(labels):
        y = TOP + row * (tile[0] + GAP)
        if label is not None:
            body.append(
                f'<text x="{LEFT - 8}" y="{y + tile[0] / 2 + 4:.1f}" text-anchor="end">'
                f"{escape(label)}</text>"
            )
        for column, step in enumerate(steps):
            body.append(_tile(drawing, model, step, row, _at(column, tile[1]), y, tile))
    size = _at(len(steps), tile[1]), TOP + len(labels) * (tile[0] + GAP)
    return f"{_svg('Step', size, ''.join(body))}\n".encode()


def html(drawing: Drawing, labels: Sequence[str | None], model: DrawModel) -> bytes:
    """A page with all images and a slider over the steps."""
    tile, count = _tile_size(drawing, 2), len(labels)
    across = max(min(count, round((1.6 * count) ** 0.5)), 1)
    pages = []
    for step in range(len(drawing.canvases)):
        body = []
        for number, label in enumerate(labels):
            x = GAP + number % across * (tile[1] + GAP)
            y = GAP + number // across * (tile[0] + GAP + 16)
            body.append(_tile(drawing, model, step, number, x, y, tile))
            if label is not None:
                body.append(f'<text x="{x}" y="{y + tile[0] + 13}">{escape(label)}</text>')
        rows = -(-count // across)
        size = GAP + across * (tile[1] + GAP), GAP + rows * (tile[0] + GAP + 16)
        pages.append(f"<div hidden>{_svg('', size, ''.join(body))}</div>")
    legend = "" if drawing.writes is None else f"<p>{_LEGEND}</p>"
    return _PAGE.format(steps=len(pages), legend=legend, pages="\n".join(pages)).encode()


def png_picture(drawing: Drawing, labels: Sequence[str | None], model: DrawModel) -> bytes:
    """A row an image and a column a step, as PNG."""
    steps, tile = _columns(drawing), _tile_size(drawing)
    height = GAP + len(labels) * (tile[0] + GAP)
    picture = np.full((height, GAP + len(steps) * (tile[1] + GAP), 3), 255, np.uint8)
    for row in range(len(labels)):
        for column, step in enumerate(steps):
            y, x = GAP + row * (tile[0] + GAP), GAP + column * (tile[1] + GAP)
            picture[y : y + tile[0], x : x + tile[1]] = _painted(drawing, model, step, row, tile)
    return png(picture)


_WRITERS: dict[str, Writer] = {".html": html, ".svg": svg, ".png": png_picture}


def _columns(drawing: Drawing) -> list[int]:
    """The steps that are shown: all, or some at equal distances."""
    count = len(drawing.canvases)
    return np.unique(np.linspace(0, count - 1, min(count, COLUMNS)).round().astype(int)).tolist()


def _tile_size(drawing: Drawing, times: int = 1) -> tuple[int, int]:
    """Height and width of a tile: whole multiples of the pixels, at least one each."""
    height, width = drawing.canvases.shape[2:4]
    scale = max(times * TILE // max(height, width), 1)
    return height * scale, width * scale


def _at(column: int, width: int) -> int:
    return LEFT + column * (width + GAP)


def _boxes(
    drawing: Drawing, model: DrawModel, step: int, image: int
) -> list[tuple[Box, tuple[int, int, int]]]:
    """Where it would read before the step, and where the step wrote."""
    height, width = drawing.canvases.shape[2:4]
    placed = (drawing.reads, model.read_size, READ), (drawing.writes, model.write_size, WRITE)
    return [
        (box(place, step, image, size, height, width), colour)
        for place, size, colour in placed
        if place is not None
    ]


def _tile(
    drawing: Drawing, model: DrawModel, step: int, image: int, x: int, y: int, tile: Any
) -> str:
    """The canvas after a step with its windows, as SVG."""
    canvas = np.asarray(drawing.canvases[step, image])
    data = base64.b64encode(png(_shades(canvas), tile[0] // len(canvas))).decode()
    windows = "".join(
        f'<rect x="{b.left * tile[1]:.1f}" y="{b.top * tile[0]:.1f}" '
        f'width="{(b.right - b.left) * tile[1]:.1f}" height="{(b.bottom - b.top) * tile[0]:.1f}" '
        f'fill="none" stroke="rgb{colour}" stroke-width="1.5"'
        f"{DASHED * (colour == READ)}/>"
        for b, colour in _boxes(drawing, model, step, image)
    )
    return (
        f'<svg x="{x}" y="{y}" width="{tile[1]}" height="{tile[0]}">'
        f'<image width="{tile[1]}" height="{tile[0]}" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{data}"/>{windows}</svg>'
    )


def _painted(
    drawing: Drawing, model: DrawModel, step: int, image: int, tile: tuple[int, int]
) -> np.ndarray:
    """The same as pixels (H, W, 3)."""
    canvas = _shades(np.asarray(drawing.canvases[step, image]))
    if canvas.shape[2] != 3:
        canvas = canvas.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    times = tile[0] // len(canvas)
    painted = canvas.repeat(times, axis=0).repeat(times, axis=1)
    for found, colour in _boxes(drawing, model, step, image):
        sides = np.array(found) * (*tile, *tile)
        top, left, bottom, right = np.clip(sides, -1, max(tile) + 1).round().astype(int)
        rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        for y in {top, bottom - 1} & set(range(tile[0])):
            painted[y, columns] = colour
        for x in {left, right - 1} & set(range(tile[1])):
            painted[rows, x] = colour
    return painted


def _shades(canvas: np.ndarray) -> np.ndarray:
    return np.clip(np.round(np.nan_to_num(canvas) * 255), 0, 255).astype(np.uint8)


def _svg(title: str, size: tuple[int, int], body: str) -> str:
    named = f'<text x="{LEFT - 8}" y="{TOP - 8}" text-anchor="end">{title}</text>' * bool(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="system-ui, Arial, sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>{named}{body}</svg>'
    )


_LEGEND = "Red: where the step wrote. Green, dashed: where an image would be read before it."
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Images drawn step by step</title>
<body style="font: 14px system-ui, Arial, sans-serif; margin: 16px">
<label>Step <output id="number"></output> of {steps}
<input id="step" type="range" min="1" max="{steps}" value="{steps}" style="width: 320px"></label>
<button id="play">Play</button>
{legend}
<main>{pages}</main>
<script>
const pages = document.querySelectorAll("main > div"), step = document.getElementById("step");
function show() {{
  pages.forEach((page, i) => {{ page.hidden = i !== step.value - 1; }});
  document.getElementById("number").value = step.value;
}}
step.addEventListener("input", show);
document.getElementById("play").addEventListener("click", () => {{
  step.value = 1;
  show();
  const timer = setInterval(() => {{
    if (step.value === step.max) return clearInterval(timer);
    step.value = Number(step.value) + 1;
    show();
  }}, 250);
}});
show();
</script>
</body>
"""
