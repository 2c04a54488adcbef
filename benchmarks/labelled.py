"""What do the defaults of `unspool train classify`, `tag` and `glimpse` reach on real data?

Trains by the public recipe, chooses the best weights on the development part, and evaluates them
once on the test part: that of the data set, or for the names and scikit-learn's digits a fifth of
every label, held out with seed 0. Time is wall clock, with compilation, evaluations and saving.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unspool import EvalReport, StartReport, StepReport, load
from unspool.data import content_key, held_out, read_labelled, repeats_note
from unspool.tasks.glimpse.recipe import LOOKER
from unspool.tasks.label.recipe import CLASSIFIER, TAGGER, LabelledRecipe

from .common import data_file, whole, write_result


class Question(NamedTuple):
    """Files below UNSPOOL_DATA (or a name), and the options for the command line.

    If both files are the same, the data set has no split.
    """

    recipe: LabelledRecipe
    train: str
    test: str
    options: dict[str, Any]
    bar: float | None = None


DIGITS = "sklearn:digits"
FASHION = (
    "fashion-mnist/train-images-idx3-ubyte.gz",
    "fashion-mnist/t10k-images-idx3-ubyte.gz",
)

QUESTIONS = {
    "sst2": Question(CLASSIFIER, "sst2/train.txt", "sst2/test.txt", {"val": "sst2/dev.txt"}, 0.79),
    "names": Question(CLASSIFIER, "names", "names", {"tokens": "char"}, 0.80),
    "ud_ewt": Question(
        TAGGER, "ud-ewt/train.conllu", "ud-ewt/test.conllu", {"val": "ud-ewt/dev.conllu"}, 0.93
    ),
    "japanese_vowels": Question(
        CLASSIFIER, "japanese-vowels/JapaneseVowels_TRAIN.ts",
        "japanese-vowels/JapaneseVowels_TEST.ts", {}, 0.95,
    ),
    "digits_rows": Question(CLASSIFIER, DIGITS, DIGITS, {}, 0.98),
    "digits_glimpses": Question(LOOKER, DIGITS, DIGITS, {}, 0.95),
    "fashion_rows": Question(CLASSIFIER, *FASHION, {"batch": 128, "max_steps": 4000}),
    "fashion_glimpses": Question(
        LOOKER,
        *FASHION,
        {
            "batch": 128, "patch": 8, "scales": 3, "std": 0.1, "dropout": 0.1, "copies": 1,
            "max_steps": 6000, "eval_every": 500,
        },
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=QUESTIONS)
    name = parser.parse_args().question
    question = QUESTIONS[name]
    with tempfile.TemporaryDirectory() as folder:
        train, test, given = files(question, Path(folder))
        options = question.recipe.merge((train,), given)
        began = time.monotonic()
        answer = follow(question.recipe.start((train,), Path(folder) / "run", options))
        answer["train_s"] = round(time.monotonic() - began, 1)
        run = load(Path(folder) / "run")
        found = run.evaluate(test)
    shown = {**options.as_dict(), "val": question.options.get("val")}
    answer = {
        "bar_accuracy": question.bar,
        "test": {"loss_nats": found.loss_nats, "tokens": found.tokens, **found.metrics},
        "best_step": run.step,
        "given": question.options,
        **answer,
        "options": shown,
    }
    print(answer["test"], f"{answer['train_s']} s")
    write_result(f"labelled-{name}", answer)


def files(question: Question, folder: Path) -> tuple[str, str, dict[str, Any]]:
    """Return the training and test files, and the options with the development file's path."""
    given = dict(question.options)
    if "val" in given:
        given["val"] = str(data_file(given["val"]))
    if question.train == question.test:
        source = DIGITS if question.train == DIGITS else data_file(question.train)
        return *split(source, folder), given
    return str(data_file(question.train)), str(data_file(question.test)), given


def split(source: str | Path, folder: Path) -> tuple[str, str]:
    """Write two files: four fifths of every label, and a fifth."""
    rows = read_labelled(source)
    is_images = isinstance(rows.rows[0], np.ndarray)
    paths = [folder / f"{part}.{'npz' if is_images else 'tsv'}" for part in ("train", "test")]
    inputs = list(map(content_key, rows.rows))
    print(*repeats_note(inputs, "sequences"), sep="\n")
    numbers_of = held_out(rows.labels, 0.2, seed=0, inputs=inputs)
    for path, numbers in zip(paths, numbers_of, strict=True):
        part = rows.take(numbers)
        if is_images:
            np.savez(path, images=np.stack(part.rows), labels=part.labels)
        else:
            lines = map("\t".join, zip(part.labels, part.rows, strict=True))
            path.write_text("label\ttext\n" + "\n".join(lines) + "\n")
    return str(paths[0]), str(paths[1])


def follow(reports: Any) -> dict[str, Any]:
    """Return notes, speed and the curve on the development part."""
    curve, speeds, start = [], [], None
    for report in whole(reports):
        match report:
            case StartReport():
                start = report
                print(*report.notes, sep="\n")
            case StepReport():
                speeds.append(report.tokens_per_s)
            case EvalReport():
                point = {"step": report.step, "loss_nats": report.val_loss_nats, **report.metrics}
                curve.append(point)
                print(point, flush=True)
    return {
        "notes": start.notes,
        "parameters": start.parameters,
        "median_tokens_per_s": sorted(speeds)[len(speeds) // 2],
        "curve_on_the_development_part": curve,
    }


if __name__ == "__main__":
    main()
