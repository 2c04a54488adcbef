"""What does `unspool train caption` reach on Flickr8k, with its defaults?

Trains by the public recipe on the 6,000 pictures of the training part, features included (the cache
is an empty folder). A twentieth is held out to choose the weights; the 1,000 pictures of the
validation part are described once, by a beam of 3 and greedily, against five references. Time is
the wall clock with features, compilation, evaluations and saving.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from unspool import load
from unspool.recipes.caption import CAPTIONER

from .common import data_file, write_result
from .labelled import follow
from .translate import curve

QUESTIONS: dict[str, dict[str, Any]] = {
    "attention": {},
    "first": {"way": "first"},
    "every": {"way": "every"},
}
NEURALTALK = (0.579, 0.383, 0.245, 0.160)
BAR = (0.64, 0.44, 0.29, 0.19)
PARTS = ("images.tar", "captions.tsv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--run", type=Path, help="a run of that recipe, trained already")
    arguments = parser.parse_args()
    given = QUESTIONS[arguments.question]
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.run or Path(folder) / "run"
        began = time.monotonic()
        if arguments.run is None:
            os.environ["XDG_CACHE_HOME"] = folder
            train(given, run)
        answer = {
            "neuraltalk": NEURALTALK,
            "bar": BAR,
            "whole_s": time.monotonic() - began if arguments.run is None else None,
            "val": {f"beam_{beams}": score(run, beams) for beams in (1, 3)},
            "given": given,
            **curve(run),
            "config": load(run).config,
        }
    print(answer["val"])
    write_result(f"caption-{arguments.question}", answer)


def train(given: dict[str, Any], run: Path) -> None:
    """By the recipe, showing the curve."""
    sources = tuple(str(data_file(f"flickr8k/train-{part}")) for part in PARTS)
    follow(CAPTIONER.start(sources, run, CAPTIONER.merge(sources, given)))


def score(run: Path, beams: int) -> dict[str, Any]:
    """The figures of `unspool eval`, and how long it took, with features."""
    files = (str(data_file(f"flickr8k/val-{part}")) for part in PARTS)
    began = time.monotonic()
    found = load(run).evaluate(*files, num_beams=beams).as_dict()
    return {**found, "eval_s": round(time.monotonic() - began, 1)}


if __name__ == "__main__":
    main()
