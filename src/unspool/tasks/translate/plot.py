"""Draw attention: a matrix for each sentence, in one self-contained HTML page."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

CELL, LETTER, TOP, LEFT_LEAST = 26, 7.4, 16, 60  # pixels
STYLE = """
:root { color-scheme: light dark; --ink: #20242c; --paper: #fff; --mark: 26, 92, 190; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ee; --paper: #14171d; --mark: 110, 170, 255; }
}
body { margin: 24px; background: var(--paper); color: var(--ink); font: 15px system-ui; }
figure { margin: 0 0 40px; overflow-x: auto; }
figcaption { margin-bottom: 8px; max-width: 60em; }
svg text { fill: var(--ink); font: 12px ui-monospace, monospace; }
rect { fill: rgb(var(--mark)); }
rect.cell { fill: none; stroke: var(--ink); stroke-opacity: .08; }
""".strip()


class AttentionFigure(NamedTuple):
    """Tokens of a sentence (S) and of its translation (T), weights (T, S), and both texts."""

    source: list[str]
    target: list[str]
    weights: np.ndarray
    texts: tuple[str, str]


def render(figures: Sequence[AttentionFigure], title: str = "Attention") -> str:
    """Render a page with a matrix for every figure: a row for each token written, a column for each
    token read; the stronger a square, the more it counted. Point at one to read its weight.
    """
    body = "\n".join(map(_matrix, figures))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n'
        "<p>A row for each token written, a column for each token read: the stronger a square, the "
        f"more the column's token counted for the row's.</p>\n{body}\n</html>\n"
    )


def _matrix(figure: AttentionFigure) -> str:
    left = max(LEFT_LEAST, LETTER * max(map(len, figure.target)) + 12)
    top = TOP + LETTER * max(map(len, figure.source)) * 0.75
    width = left + CELL * len(figure.source) + LETTER * max(map(len, figure.source)) * 0.75
    height = top + CELL * len(figure.target) + 8
    caption = "<br>".join(map(escape, figure.texts))
    return (
        f'<figure><figcaption>{caption}</figcaption><svg role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">'
        f"<title>Attention weights</title>{_labels(figure, left, top)}{_squares(figure, left, top)}"
        "</svg></figure>"
    )


def _labels(figure: AttentionFigure, left: float, top: float) -> str:
    columns = (
        f'<text transform="translate({left + CELL * (s + 0.6):.1f} {top - 6:.1f}) rotate(-45)">'
        f"{escape(token)}</text>"
        for s, token in enumerate(figure.source)
    )
    rows = (
        f'<text x="{left - 6:.1f}" y="{top + CELL * (t + 0.65):.1f}" text-anchor="end">'
        f"{escape(token)}</text>"
        for t, token in enumerate(figure.target)
    )
    return "".join((*columns, *rows))


def _squares(figure: AttentionFigure, left: float, top: float) -> str:
    made = []
    for t, written in enumerate(figure.target):
        for s, read in enumerate(figure.source):
            weight = float(figure.weights[t, s])
            place = f'x="{left + CELL * s:.1f}" y="{top + CELL * t:.1f}"'
            size = f'width="{CELL - 1}" height="{CELL - 1}"'
            tip = f"<title>{escape(written)} attends to {escape(read)}: {weight:.3f}</title>"
            made.append(
                f'<g>{tip}<rect class="cell" {place} {size}/>'
                f'<rect {place} {size} fill-opacity="{weight:.3f}"/></g>'
            )
    return "".join(made)
