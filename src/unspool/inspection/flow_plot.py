"""Plot gradient flow as a self-contained HTML page: norms over steps back, on a log scale."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from .gradients import GradientFlow

WIDTH, HEIGHT = 900, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 210, 16, 44
COLOURS = ("1a5cbe", "d9720b", "1b9e77", "a05ab8", "b3261e", "6a7485")
DARK = ("6eaaff", "f69836", "4fd0a5", "c98be0", "ff8a80", "98a1b2")
DASHES = ("", "7 4", "2 3", "12 3 2 3")  # by layer
DECADES = 14  # at most; anything below is cut off
STYLE = """
:root { color-scheme: light dark; --ink: #20242c; --paper: #fff; LIGHT }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ee; --paper: #14171d; NIGHT } }
body { margin: 24px; background: var(--paper); color: var(--ink); font: 15px system-ui; }
p { max-width: 46em; }
svg { max-width: 100%; height: auto; }
text { fill: var(--ink); font: 12px system-ui; }
.grid { stroke: var(--ink); stroke-opacity: .13; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.band { stroke: none; fill-opacity: .08; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .15rem 1rem .15rem 0; text-align: left; font-weight: normal; }
th { opacity: .7; }
""".strip()


Place = Callable[[int, float], str]  # steps back and a norm to "x,y"


class Line(NamedTuple):
    """A model's name and the flow of one of its quantities."""

    name: str
    flow: GradientFlow


def render(lines: Sequence[Line], title: str = "Gradient flow") -> str:
    """Render a page with the median norm of each line, its quartiles as a band, and a table."""
    names = list(dict.fromkeys(line.name for line in lines))
    style = STYLE.replace("LIGHT", _variables(COLOURS)).replace("NIGHT", _variables(DARK))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{style}</style>\n'
        f"<h1>{escape(title)}</h1>\n"
        "<p>||dL<sub>T</sub>/dh<sub>t</sub>||: how much the loss at step T would change with the "
        "state some steps before it; median over many T, with quartiles. A line that falls "
        "is a gradient that vanishes, one that rises explodes. The scale is logarithmic.</p>\n"
        f"{_chart(lines, names)}\n{_table(lines)}\n</html>\n"
    )


def _variables(colours: Sequence[str]) -> str:
    return " ".join(f"--c{i}: #{colour};" for i, colour in enumerate(colours))


def _chart(lines: Sequence[Line], names: list[str]) -> str:
    steps = max(len(line.flow.median) for line in lines)
    low, high = _decades([line.flow for line in lines])

    def place(back: int, norm: float) -> str:
        x = LEFT + back / max(1, steps - 1) * (WIDTH - LEFT - RIGHT)
        power = min(max(math.log10(max(norm, 1e-300)), low), high)
        y = TOP + (high - power) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    parts = [_grid(low, high, steps, place)]
    ends = []
    for line in lines:
        colour = f"var(--c{names.index(line.name) % len(COLOURS)})"
        known = np.flatnonzero(line.flow.median >= 10.0**low)  # anything below is not shown
        parts.append(_line(line.flow, known, colour, place))
        if len(known):
            back = int(known[-1])
            y = float(place(back, float(line.flow.median[back])).split(",")[1])
            ends.append(
                (y, f"{line.name}, {line.flow.quantity} of layer {line.flow.layer}", colour)
            )
    parts += _labels(ends)
    return (
        f'<svg role="img" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>Norms of gradients over steps back</title>{''.join(parts)}</svg>"
    )


def _decades(flows: list[GradientFlow]) -> tuple[int, int]:
    """Return the whole powers of ten around all medians."""
    known = np.concatenate([flow.median[flow.median > 0] for flow in flows])
    known = known[np.isfinite(known)]
    if not len(known):
        return -1, 1
    high = math.ceil(math.log10(float(known.max())))
    low = math.floor(math.log10(float(known.min())))
    return max(low, high - DECADES) if low < high else high - 1, high


def _line(flow: GradientFlow, known: np.ndarray, colour: str, place: Place) -> str:
    points, upper, lower = (
        [place(int(d), float(values[d])) for d in known]
        for values in (flow.median, flow.high, flow.low)
    )
    dash = DASHES[flow.layer % len(DASHES)] if flow.quantity == "h" else "1 4"
    band = " ".join([*upper, *reversed(lower)])
    return (
        f'<polygon class="band" fill="{colour}" points="{band}"/>'
        f'<polyline class="line" stroke="{colour}" stroke-dasharray="{dash}" '
        f'points="{" ".join(points)}"/>'
    )


def _labels(ends: list[tuple[float, str, str]]) -> list[str]:
    """Place names at the ends of lines, moved apart."""
    made, last = [], -math.inf
    for y, name, colour in sorted(ends):
        last = max(y, last + 14)
        made.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{last + 4:.1f}" style="fill:{colour}">'
            f"{escape(name)}</text>"
        )
    return made


def _grid(low: int, high: int, steps: int, place: Place) -> str:
    made = []
    every = max(1, math.ceil((high - low) / 8))
    for power in range(high, low - 1, -every):
        left, right = place(0, 10.0**power), place(steps - 1, 10.0**power)
        x, y = left.split(",")
        made.append(f'<polyline class="grid" points="{left} {right}"/>')
        made.append(
            f'<text x="{float(x) - 8}" y="{float(y) + 4}" text-anchor="end">1e{power}</text>'
        )
    for back in range(0, steps, max(1, round(steps / 8))):
        x = place(back, 1.0).split(",")[0]
        made.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{back}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    made.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">steps before T</text>')
    return "".join(made)


def _table(lines: Sequence[Line]) -> str:
    head = "".join(
        f"<th>{name}</th>" for name in ("model", "state", "factor a step back", "1 % is left after")
    )
    rows = "".join(
        f"<tr><td>{escape(line.name)}</td><td>{line.flow.quantity} of layer {line.flow.layer}</td>"
        f"<td>{line.flow.factor:.4f}</td><td>{reach(line.flow)}</td></tr>"
        for line in lines
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def reach(flow: GradientFlow) -> str:
    """Say how far a gradient reaches, and which part of it could not be determined."""
    steps = len(flow.median)
    far = f"{flow.reach} steps" if flow.reach is not None else f"more than {steps} steps"
    zeros = f", {100 * flow.underflows:.0f} % underflow to 0" if flow.underflows else ""
    large = f", {100 * flow.not_finite:.0f} % are not finite" if flow.not_finite else ""
    return f"{far}{zeros}{large}"
