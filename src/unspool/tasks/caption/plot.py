"""Draw attention: the picture for every word, dark where the model did not attend, as a page."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import NamedTuple

import numpy as np

SIDE, GRID_INK = 132, "#10131a"  # pixels of a picture; colour that covers unattended places
STYLE = """
:root { color-scheme: light dark; --ink: #20242c; --paper: #fff; --quiet: #667; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ee; --paper: #14171d; --quiet: #9aa; } }
body { margin: 24px; background: var(--paper); color: var(--ink); font: 15px system-ui; }
figure { margin: 0 0 44px; }
figcaption { margin-bottom: 10px; font-size: 17px; }
figcaption small { color: var(--quiet); font-size: 12px; display: block; }
ol { display: flex; flex-wrap: wrap; gap: 10px; margin: 0; padding: 0; list-style: none; }
li { width: 132px; text-align: center; }
svg { display: block; border-radius: 4px; }
""".strip()


class CaptionFigure(NamedTuple):
    """A picture's file and pixels (P, P, 3), its caption and tokens, and the attention of each:
    weights (T, height, width), or (T, S). Features have no pixels.
    """

    name: str
    picture: np.ndarray | None
    caption: str
    tokens: list[str]
    weights: np.ndarray


def render(figures: Sequence[CaptionFigure], title: str = "Attention") -> str:
    """Render a page with a row for every figure. Point at a place to read its weight."""
    body = "\n".join(_row(number, figure) for number, figure in enumerate(figures))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n'
        "<p>For each word the picture is bright where the model attended before it wrote the "
        f"word.</p>\n{body}\n</html>\n"
    )


def _row(number: int, figure: CaptionFigure) -> str:
    grids = figure.weights if figure.weights.ndim == 3 else figure.weights[:, None]
    places = f"0 0 {grids.shape[2]} {grids.shape[1]}"
    size = f'width="{SIDE}" height="{SIDE}"'
    box = f'<svg role="img" {size} viewBox="{places}" preserveAspectRatio="none">'
    tiles = [f"<li>{box}{_image(number, figure, grids.shape)}</svg><small>&nbsp;</small></li>"]
    for token, grid in zip(figure.tokens, grids, strict=True):
        shown = f'<use href="#picture{number}"/>{_cover(grid)}'
        tiles.append(f"<li>{box}<title>{escape(token)}</title>{shown}</svg>{escape(token)}</li>")
    caption = f"{escape(figure.caption)}<small>{escape(figure.name)}</small>"
    return f"<figure><figcaption>{caption}</figcaption><ol>{''.join(tiles)}</ol></figure>"


def _image(number: int, figure: CaptionFigure, shape: tuple[int, ...]) -> str:
    box = f'id="picture{number}" width="{shape[2]}" height="{shape[1]}"'
    if figure.picture is None:
        return f'<rect {box} fill="#8891a3"/>'
    return f'<image {box} preserveAspectRatio="none" href="{_jpeg(figure.picture)}"/>'


def _cover(grid: np.ndarray) -> str:
    """Draw dark squares, the darker the smaller a weight is compared with the largest."""
    dark = 0.86 * (1 - grid / max(float(grid.max()), 1e-9))
    made = []
    for (y, x), weight in np.ndenumerate(grid):
        place = f'x="{x}" y="{y}" width="1" height="1" shape-rendering="crispEdges"'
        cover = f'<rect {place} fill="{GRID_INK}" fill-opacity="{dark[y, x]:.2f}"/>'
        made.append(f"<g><title>{weight:.3f}</title>{cover}</g>")
    return "".join(made)


def _jpeg(picture: np.ndarray) -> str:
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((2 * SIDE, 2 * SIDE))
    file = BytesIO()
    image.save(file, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
