"""What does `unspool train translate` reach on Multi30k, English to German, with its defaults?

Trains by the public recipe on the 29,000 pairs, keeps the weights of lowest loss on the validation
part, and translates test_2016_flickr (lower-cased and tokenised, like published figures) once. BLEU
is sacreBLEU's on these tokens. Time is wall clock, with compilation, evaluations and saving. Needs
sacrebleu.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from unspool import load
from unspool.tasks.translate.recipe import TRANSLATOR

from .common import data_file, run_directory, write_result
from .labelled import follow

QUESTIONS: dict[str, dict[str, Any]] = {
    "attention": {},
    "bahdanau": {"attention": "bahdanau"},
    "plain": {"attention": "none", "hidden": 512, "max_steps": 5500},
}
BARS = {"attention": 36.0, "plain": 25.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument(
        "--run", type=Path, help="keep the run there; an existing one is used as it is"
    )
    arguments = parser.parse_args()
    given = QUESTIONS[arguments.question]
    with run_directory(arguments.run) as run:
        if not run.exists():
            train(given, run)
        answer = {
            "bar_bleu": BARS.get(arguments.question),
            "test": {f"beam_{beams}": test(run, beams) for beams in (1, 5)},
            "given": given,
            **curve(run),
            "config": load(run).config,
        }
    print(answer["test"])
    write_result(f"translate-{arguments.question}", answer)


def train(given: dict[str, Any], run: Path) -> None:
    """Train by the recipe and show the curve."""
    names = ("train.en", "train.de", "val.en", "val.de")
    train_source, train_target, *val = (str(data_file(f"multi30k/{name}")) for name in names)
    sources = (train_source, train_target)
    held_out = {"val_source": val[0], "val_target": val[1]}
    follow(TRANSLATOR.start(sources, run, TRANSLATOR.merge(sources, held_out, given)))


def curve(run: Path) -> dict[str, Any]:
    """Return the run's record of its training."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    points = [record for record in records if "val_loss_nats" in record]
    (start,) = (record for record in records if record.get("event") == "start")
    return {
        "train_s": points[-1]["elapsed_s"],
        "best_step": load(run).step,
        "parameters": start["parameters"],
        "notes": start["notes"],
        "curve_on_the_validation_part": points,
    }


def test(run: Path, beams: int) -> dict[str, Any]:
    """Return the figures of `unspool eval`, and how long it took."""
    files = (str(data_file(f"multi30k/test_2016_flickr.{language}")) for language in ("en", "de"))
    began = time.monotonic()
    found = load(run).evaluate(*files, num_beams=beams, tokenize="none").as_dict()
    return {**found, "eval_s": round(time.monotonic() - began, 1)}


if __name__ == "__main__":
    main()
