"""What does `unspool train caption` reach on Flickr8k, with its defaults?

Trains by the public recipe on the 6,000 pictures of the training part, features included (the cache
starts empty). A twentieth is held out to choose the weights; the 1,000 pictures of the validation
part are captioned once, by a beam of 3 and greedily, and scored against five references. Time is
wall clock, with features, compilation, evaluations and saving.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from unspool import load
from unspool.data import Pictures, decode_picture
from unspool.tasks.caption.recipe import CAPTIONER

from .common import data_file, run_directory, write_result
from .labelled import follow
from .translate import curve

QUESTIONS: dict[str, dict[str, Any]] = {
    "attention": {},
    "first": {"way": "first"},
    "every": {"way": "every"},
}
NEURALTALK = (0.579, 0.383, 0.245, 0.160)
BAR = (0.64, 0.44, 0.29, 0.19)
EXAMPLES = {
    "2501742763_b2cb322087.jpg": "a black dog that runs on grass",
    "2975118353_5af5a5df54.jpg": "a snowboarder in the air",
    "3203878596_cbb307ce3b.jpg": "two brown dogs in the snow",
    "537579448_a7f92cef58.jpg": "a girl with a pink hat, picking up a football",
    "2502835694_4fe121bbea.jpg": "people sitting and standing in front of a building",
    "463786229_b54c9a3436.jpg": "a bee on a yellow flower",
    "2500567791_101d5ddee3.jpg": "two cows and a dog",
    "3005124440_c096b310fb.jpg": "three people with signs",
    "3306464579_1b16a0caf2.jpg": "a man at a frying pan",
}
PARTS = ("images.tar", "captions.tsv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument(
        "--run", type=Path, help="keep the run there; an existing one is used as it is"
    )
    arguments = parser.parse_args()
    given = QUESTIONS[arguments.question]
    with run_directory(arguments.run) as run:
        whole_s = None if run.exists() else train(given, run)
        answer = {
            "neuraltalk": NEURALTALK,
            "bar": BAR,
            "whole_s": whole_s,
            "val": {f"beam_{beams}": score(run, beams) for beams in (1, 3)},
            "examples": examples(run),
            "given": given,
            **curve(run),
            "config": load(run).config,
        }
    print(answer["val"])
    write_result(f"caption-{arguments.question}", answer)


def train(given: dict[str, Any], run: Path) -> float:
    """Train by the recipe and show the curve; return the seconds, with features."""
    began = time.monotonic()
    sources = tuple(str(data_file(f"flickr8k/train-{part}")) for part in PARTS)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        follow(CAPTIONER.start(sources, run, CAPTIONER.merge(sources, given)))
    return time.monotonic() - began


def score(run: Path, beams: int) -> dict[str, Any]:
    """Return the figures of `unspool eval`, and how long it took, with features."""
    files = (str(data_file(f"flickr8k/val-{part}")) for part in PARTS)
    began = time.monotonic()
    found = load(run).evaluate(*files, num_beams=beams).as_dict()
    return {**found, "eval_s": round(time.monotonic() - began, 1)}


def examples(run: Path) -> list[dict[str, str]]:
    """Return captions of some pictures by a beam of 3, and what the pictures show."""
    source = Pictures(data_file("flickr8k/val-images.tar"))
    shown = [(name, content) for name, content in source.contents() if Path(name).name in EXAMPLES]
    found = load(run).caption([decode_picture(content, name) for name, content in shown])
    said = {Path(name).name: best[0].text for (name, _), best in zip(shown, found, strict=True)}
    return [
        {"file": name, "caption": said[name], "there_is": there_is}
        for name, there_is in EXAMPLES.items()
    ]


if __name__ == "__main__":
    main()
