"""Draw images with the glimpses of a network into one self-contained SVG or HTML file."""

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

# Sizes are in pixels of the drawing; the margin is the area shown around an image.
SIDE, MARGIN, GAP, CAPTION, HEADER, STRIP_GAP, LARGEST_SEEN = 180, 24, 16, 26, 44, 4, 44
PALETTE = ((255, 214, 64), (255, 140, 40), (240, 80, 140), (150, 100, 245), (40, 170, 240))
RIGHT, WRONG, INK, OUTSIDE = "#1a7f4b", "#c62f3d", "#20242c", "#d5d9e2"


class GlimpseFigure(NamedTuple):
    """An image (H, W, C), the places (T, 2) as (y, x) in -1 to 1, what was seen there
    (T, S, P, P, C), and the predicted label with its probability; `truth` may be unknown.
    """

    image: np.ndarray
    places: np.ndarray
    seen: np.ndarray
    label: str
    probability: float
    truth: str | None = None


def render(figures: Sequence[GlimpseFigure], as_html: bool = False) -> str:
    """Render a tile for every figure: the image with numbered squares joined in order, the
    predicted label (and the true one), and what was seen at each place. Returns an SVG file, or a
    page with it.
    """
    low = min(float(figure.image.min()) for figure in figures)
    high = max(float(figure.image.max()) for figure in figures)
    across = min(math.ceil(math.sqrt(1.6 * len(figures))), len(figures))
    tiles = [_tile(figure, low, high) for figure in figures]
    width, height = SIDE + 2 * MARGIN + GAP, tiles[0][1] + GAP
    body = "".join(
        f'<g transform="translate({GAP + width * (i % across)} {HEADER + height * (i // across)})">'
        f"{tile}</g>"
        for i, (tile, _) in enumerate(tiles)
    )
    size = max(GAP + width * across, 700), HEADER + height * math.ceil(len(figures) / across)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]:.0f}" '
        f'viewBox="0 0 {size[0]} {size[1]:.0f}" font-family="system-ui, Arial, sans-serif">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{GAP}" y="28" font-size="14" fill="{INK}">{_legend(figures)}</text>{body}'
        "</svg>\n"
    )
    if not as_html:
        return svg
    head = '<!doctype html>\n<meta charset="utf-8">\n<title>Glimpses</title>\n'
    return f'{head}<body style="margin:0">\n{svg}</body>\n'


def _legend(figures: Sequence[GlimpseFigure]) -> str:
    known = [figure for figure in figures if figure.truth is not None]
    right = f", {sum(x.label == x.truth for x in known)} of {len(known)} right" if known else ""
    count = f"{len(figures)} image{'s' if len(figures) > 1 else ''}{right}."
    wider = ", dashed: wider and coarser" if figures[0].seen.shape[1] > 1 else ""
    return f"{count} Glimpses in order; solid: in full detail{wider}; below: what the network saw."


def _tile(figure: GlimpseFigure, low: float, high: float) -> tuple[str, float]:
    """Render a tile as SVG; return it and its height."""
    height, width = figure.image.shape[:2]
    pixel = SIDE / max(height, width)
    frame = SIDE + 2 * MARGIN, height * pixel + 2 * MARGIN
    left = (SIDE - width * pixel) / 2 + MARGIN
    enlarged = _image(figure.image, low, high, left, MARGIN, width * pixel, height * pixel)
    glimpses = _glimpses(figure, pixel, left)
    strip, below = _strip(figure, low, high, frame[1] + CAPTION)
    return (
        f'<svg width="{frame[0]}" height="{frame[1]:.1f}"><rect width="100%" height="100%" '
        f'fill="{OUTSIDE}"/>{enlarged}{glimpses}</svg>{_caption(figure, frame[1] + 18)}{strip}'
    ), below


def _caption(figure: GlimpseFigure, y: float) -> str:
    colour, truth = INK, ""
    if figure.truth is not None:
        is_right = figure.label == figure.truth
        colour = RIGHT if is_right else WRONG
        truth = " \u2713" if is_right else f" \u2717 is {figure.truth}"
    return (
        f'<text y="{y:.1f}" font-size="14" fill="{colour}"><tspan font-weight="bold">'
        f"{escape(figure.label)}</tspan> {figure.probability:.2f}{escape(truth)}</text>"
    )


def _glimpses(figure: GlimpseFigure, pixel: float, left: float) -> str:
    height, width = figure.image.shape[:2]
    steps, scales, patch = figure.seen.shape[:3]
    extent = np.array([width * pixel, height * pixel])
    points = (figure.places[:, ::-1] + 1) / 2 * extent + np.array([left, MARGIN])
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    line = f'<polyline points="{path}" fill="none" stroke-linejoin="round" '
    parts = []
    for step, (x, y) in enumerate(points):
        for scale in range(scales):
            side = patch * 2**scale * pixel
            style = "" if scale == 0 else ' stroke-dasharray="3 4" opacity="0.55"'
            parts.append(
                f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" '
                f'height="{side:.1f}" rx="2" fill="none" stroke="{_colour(step, steps)}" '
                f'stroke-width="{2.5 if scale == 0 else 1.5}"{style}/>'
            )
    parts += [f'{line}stroke="{INK}" stroke-width="4"/>', f'{line}stroke="#fff" stroke-width="2"/>']
    parts += [_disc(x, y, step, steps) for step, (x, y) in enumerate(points)]
    return "".join(parts)


def _strip(figure: GlimpseFigure, low: float, high: float, y: float) -> tuple[str, float]:
    """Render what was seen, a column per step and a row per scale; return it and where it ends."""
    steps, scales = figure.seen.shape[:2]
    room = (SIDE + 2 * MARGIN - STRIP_GAP * (steps - 1)) / steps
    side = min(room, LARGEST_SEEN)
    parts = []
    for step in range(steps):
        x = step * (side + STRIP_GAP)
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="3" '
            f'fill="{_colour(step, steps)}"/>'
        )
        for scale in range(scales):
            top = y + 5 + scale * (side + 2)
            parts.append(_image(figure.seen[step, scale], low, high, x, top, side, side))
    return "".join(parts), y + 5 + scales * (side + 2)


def _disc(x: float, y: float, step: int, steps: int) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{_colour(step, steps)}" stroke="{INK}"/>'
        f'<text x="{x:.1f}" y="{y + 3.8:.1f}" text-anchor="middle" font-size="11" '
        f'font-weight="bold" fill="{INK}">{step + 1}</text>'
    )


def _colour(step: int, steps: int) -> str:
    """Interpolate from the palette's first colour to its last."""
    at = step / max(steps - 1, 1) * (len(PALETTE) - 1)
    channels = [np.interp(at, range(len(PALETTE)), values) for values in zip(*PALETTE, strict=True)]
    return "#" + "".join(f"{round(value):02x}" for value in channels)


def _image(
    image: np.ndarray, low: float, high: float, x: float, y: float, width: float, height: float
) -> str:
    shades = np.clip((image - low) / max(high - low, 1e-12) * 255, 0, 255).round().astype(np.uint8)
    data = base64.b64encode(png(shades, round(width / image.shape[1]))).decode()
    return (
        f'<image x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )


def png(pixels: np.ndarray, times: int = 1) -> bytes:
    """Encode pixels (H, W, C) of 0 to 255 as a PNG file, enlarged `times`. Three channels are red,
    green and blue; of any other number the mean is drawn in grey.
    """
    if pixels.shape[2] not in (1, 3):
        pixels = pixels.mean(axis=2, keepdims=True).astype(np.uint8)
    # Enlarged here, since not every SVG viewer keeps the edges of pixels sharp.
    pixels = pixels.repeat(max(times, 1), axis=0).repeat(max(times, 1), axis=1)
    height, width, channels = pixels.shape
    colours = {1: 0, 3: 2}[channels]
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
