"""Generate pictures of two coloured shapes, with every true sentence about them as captions."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import files

SIDE = 48  # pixels
SHARPER = 4  # a pixel is the mean of SHARPER x SHARPER samples
RADII = {"small": 6.0, "large": 11.0}
COLOURS = {
    "red": (214, 40, 40), "green": (42, 157, 80), "blue": (40, 90, 210), "yellow": (240, 190, 30),
    "black": (30, 30, 34), "purple": (140, 60, 170),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle")
SIDES = (("above", "below"), ("left of", "right of"))  # first to second shape, and back
PARTS = {"train": (5000, 0), "val": (200, 1), "new": (20, 2)}  # pictures, and their seed
NEW = 500  # unseen pictures, to count exact captions on


class Shape(NamedTuple):
    """A shape and its centre (y, x) in pixels."""

    size: str
    colour: str
    shape: str
    place: tuple[float, float]

    def __str__(self) -> str:
        return f"a {self.size} {self.colour} {self.shape}"


class Scene(NamedTuple):
    """Pixels (48, 48, 3), uint8, and the two sentences that are true of them."""

    picture: np.ndarray
    captions: tuple[str, str]


def render_shapes(number: int, seed: int = 0) -> Scene:
    """Render picture `number` of a seed: two shapes, one above the other or beside it, on grey."""
    random = np.random.default_rng([seed, number])
    axis = int(random.integers(2))
    words = [
        (
            str(random.choice(list(RADII))),
            str(random.choice(list(COLOURS))),
            str(random.choice(SHAPES)),
        )
        for _ in range(2)
    ]
    radii = [RADII[size] for size, _, _ in words]
    gap = SIDE - 2 * (radii[0] + radii[1])  # the space left along the axis
    space = random.dirichlet((1, 1, 1)) * (gap - 2) + (0, 2, 0)
    along = space[0] + radii[0], SIDE - space[2] - radii[1]
    across = [random.uniform(max(r, SIDE / 2 - 3), min(SIDE - r, SIDE / 2 + 3)) for r in radii]
    places = list(zip(along, across, strict=True))
    first, second = (
        Shape(*word, place if axis == 0 else place[::-1])
        for word, place in zip(words, places, strict=True)
    )
    there, back = SIDES[axis]
    picture = random.uniform(150, 235) + random.normal(0, 4, (SIDE, SIDE, 3))
    for shape in (first, second):
        cover = _cover(shape)[..., None]
        picture = picture * (1 - cover) + cover * np.array(COLOURS[shape.colour])
    sentences = f"{first} {there} {second}", f"{second} {back} {first}"
    return Scene(np.clip(picture, 0, 255).astype(np.uint8), sentences)


def _cover(shape: Shape) -> np.ndarray:
    """Return how much of each pixel the shape covers."""
    fine = (np.arange(SIDE * SHARPER) + 0.5) / SHARPER
    y, x = np.meshgrid(fine - shape.place[0], fine - shape.place[1], indexing="ij")
    r = RADII[shape.size]
    match shape.shape:
        case "circle":
            inside = y**2 + x**2 <= r**2
        case "square":
            inside = np.maximum(abs(y), abs(x)) <= r
        case _:  # a triangle that points up
            inside = (y <= r) & (abs(x) <= (y + r) / 2)
    parts = inside.reshape(SIDE, SHARPER, SIDE, SHARPER)
    return parts.mean(axis=(1, 3))


def captioned_shapes(folder: Path) -> tuple[tuple[str, str], dict[str, Any]]:
    """Write pictures and captions below `folder`; return the recipe's sources and options."""
    from PIL import Image

    for part, (count, seed) in PARTS.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        lines = []
        for number in range(count):
            scene, name = render_shapes(number, seed), f"{number:05}.png"
            Image.fromarray(scene.picture).save(folder / part / name, compress_level=1)
            lines += [f"{name}\t{caption}\n" for caption in scene.captions]
        files.write_bytes(folder / f"{part}.tsv", "".join(lines).encode())
    options = {
        "cnn": "small", "val_images": str(folder / "val"), "val_captions": str(folder / "val.tsv"),
    }  # fmt: skip
    return (str(folder / "train"), str(folder / "train.tsv")), options


def described(run: Any, scenes: list[Scene]) -> list[tuple[str, bool]]:
    """Return a run's caption of each picture, and whether it is exactly one of the true ones."""
    best = [found[0].text for found in run.caption([one.picture for one in scenes])]
    return [(text, text in one.captions) for text, one in zip(best, scenes, strict=True)]


def new_pictures() -> list[Scene]:
    """Render pictures that are in no training part."""
    return [render_shapes(number, PARTS["new"][1]) for number in range(NEW)]
