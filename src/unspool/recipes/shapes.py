"""Files of captioned shapes, for `unspool demo caption`."""

from pathlib import Path
from typing import Any

from .. import files
from ..data.shapes import Drawn, draw_shapes

PARTS = {"train": (5000, 0), "val": (200, 1), "new": (20, 2)}  # pictures, and their seed
NEW = 500  # pictures that were never seen, to count exact captions on


def captioned_shapes(folder: Path) -> tuple[tuple[str, str], dict[str, Any]]:
    """Write pictures and captions below `folder`: the recipe's sources, and options for them."""
    from PIL import Image

    for part, (count, seed) in PARTS.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        lines = []
        for number in range(count):
            drawn, name = draw_shapes(number, seed), f"{number:05}.png"
            Image.fromarray(drawn.picture).save(folder / part / name, compress_level=1)
            lines += [f"{name}\t{caption}\n" for caption in drawn.captions]
        files.write_bytes(folder / f"{part}.tsv", "".join(lines).encode())
    options = {
        "cnn": "small", "val_images": str(folder / "val"), "val_captions": str(folder / "val.tsv"),
    }  # fmt: skip
    return (str(folder / "train"), str(folder / "train.tsv")), options


def described(run: Any, drawn: list[Drawn]) -> list[tuple[str, bool]]:
    """What a run says of each picture, and whether that is exactly one of its captions."""
    best = [found[0].text for found in run.caption([one.picture for one in drawn])]
    return [(text, text in one.captions) for text, one in zip(best, drawn, strict=True)]


def new_pictures() -> list[Drawn]:
    """Pictures that are in no part to learn from."""
    return [draw_shapes(number, PARTS["new"][1]) for number in range(NEW)]
