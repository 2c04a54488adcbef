"""How near does `unspool train draw` come to -ln p of images, and are its digits recognised?

Trains by the public recipe, keeps the best weights by a tenth that is held out, and evaluates them
once on the test part: the bound on all of it, and -ln p by importance weighting with its standard
error over the first images. With labels, images are drawn of all of them in turn, and a classifier
of `unspool train classify` that never saw a drawn image says what they are. scikit-learn's
digits have no test part: a fifth of every label is held out with seed 0.

    python -m benchmarks.draw mnist

is the paper's configuration (64 glimpses; it reports at most 80.97 nats) for whoever has MNIST's
files in UNSPOOL_DATA/mnist, and hours.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import unspool
from unspool.data import read_images
from unspool.tasks.draw.recipe import DRAW
from unspool.tasks.label.recipe import CLASSIFIER

from .common import data_file, run_directory, write_result
from .labelled import DIGITS, follow, split

IMPORTANCE_SAMPLES = 50
WEIGHTED, DRAWN = 1000, 1000  # images


class Question(NamedTuple):
    """Files below UNSPOOL_DATA (or a name), the options given, and what to reach."""

    train: str
    test: str
    options: dict[str, Any]
    bar_nll_nats: float | None = None
    bar_recognised: float | None = None


def _files(folder: str) -> tuple[str, str]:
    return (
        f"{folder}/train-images-idx3-ubyte.gz",
        f"{folder}/t10k-images-idx3-ubyte.gz",
    )


QUESTIONS = {
    "digits": Question(
        DIGITS, DIGITS,
        {
            "conditional": True, "glimpses": 8, "read": 2, "write": 3, "hidden": 128,
            "latent": 16, "max_steps": 3000,
        },
        bar_recognised=0.9,
    ),
    "fashion": Question(
        *_files("fashion-mnist"), {"hidden": 128, "max_steps": 4000, "eval_every": 1000}
    ),
    "mnist": Question(
        *_files("mnist"),
        {
            "glimpses": 64, "read": 2, "write": 5, "hidden": 256, "latent": 100, "batch": 128,
            "learning_rate": 1e-3, "max_steps": 100_000, "eval_every": 2000,
        },
        bar_nll_nats=80.97,
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--run", type=Path, help="keep the run here")
    arguments = parser.parse_args()
    question = QUESTIONS[arguments.question]
    with tempfile.TemporaryDirectory() as name, run_directory(arguments.run) as path:
        folder = Path(name)
        train, test = files(question, folder)
        options = DRAW.merge((train,), question.options)
        began = time.monotonic()
        answer = follow(DRAW.start((train,), path, options))
        answer["train_s"] = round(time.monotonic() - began, 1)
        run = unspool.load(path)
        found = {
            "bar_nll_nats": question.bar_nll_nats,
            "bar_recognised": question.bar_recognised,
            **measured(run, test, folder),
            **(recognised(run, train, test, folder) if run.labels else {}),
        }
    answer = {
        **found, "best_step": run.step, "given": question.options, **answer,
        "options": {**options.as_dict(), "val": None},
    }  # fmt: skip
    print(found)
    write_result(f"draw-{arguments.question}", answer)


def files(question: Question, folder: Path) -> tuple[str, str]:
    """The training and test files."""
    if question.train == question.test:
        return split(question.train, folder)
    return str(data_file(question.train)), str(data_file(question.test))


def measured(run: Any, test: str, folder: Path) -> dict[str, Any]:
    """The bound on the test part; -ln p by importance weighting, and the bound, of the first."""
    began = time.monotonic()
    whole = run.evaluate(test).as_dict()
    bound_s = time.monotonic() - began
    first = folder / "first.npz"
    images, labels, _ = read_images(test, labelled=bool(run.labels))
    named = {"labels": labels[:WEIGHTED]} if labels else {}
    np.savez(first, images=np.stack(images[:WEIGHTED]), **named)
    began = time.monotonic()
    weighted = run.evaluate(first, importance_samples=IMPORTANCE_SAMPLES).as_dict()
    return {
        "test": whole,
        "bound_s": round(bound_s, 1),
        "importance_samples": IMPORTANCE_SAMPLES,
        "first": weighted,
        "importance_s": round(time.monotonic() - began, 1),
    }


def recognised(run: Any, train: str, test: str, folder: Path) -> dict[str, Any]:
    """How many drawn images a classifier gives the label that they were drawn for."""
    list(CLASSIFIER.start((train,), folder / "classifier", CLASSIFIER.merge((train,), {})))
    classifier = unspool.load(folder / "classifier")
    began = time.monotonic()
    drawn = run.sample(DRAWN, seed=0)
    sample_s = time.monotonic() - began
    found = classifier.classify(list(drawn.pixels * run.encoder.white))
    right = [next(iter(p)) == label for p, label in zip(found, drawn.labels, strict=True)]
    by_label = {label: right[i :: len(run.labels)] for i, label in enumerate(run.labels)}
    return {
        "recognised": sum(right) / DRAWN,
        "recognised_by_label": {label: sum(x) / len(x) for label, x in by_label.items()},
        "drawn": DRAWN,
        "sample_s": round(sample_s, 2),
        "classifier_accuracy": classifier.evaluate(test).metrics["accuracy"],
    }


if __name__ == "__main__":
    main()
