"""What does a preset reach on tiny Shakespeare, and how fast?

Training chooses the best weights on the development part; these are then evaluated once on each
part (see tiny_shakespeare.py), in two ways. "carried": each character is predicted from all before
it (the state is carried; 32 lanes read 256 unscored characters before their own). "window_256":
non-overlapping windows of 256 characters, each from a zero state, so that a character is predicted
from the 1 to 256 characters before it, as nanoGPT evaluates (in windows at random places);
"window_64" likewise. `wall_s` starts before the text is read and includes compilation, evaluations
and saving; `train_s` excludes evaluations and saving.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import unspool
from unspool.tasks.text.recipe import merge_options, train_text
from unspool.training import EvalReport, StartReport, StepReport

from .common import run_directory, whole, write_result
from .tiny_shakespeare import EVALUATED, best, clocked, point, seconds_to, write_parts

WAYS = {"carried": None, "window_256": 256, "window_64": 64}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", choices=("small", "medium", "large"))
    parser.add_argument("--eval-every", type=int)
    parser.add_argument("--max-steps", type=int, help="fewer, to try this file")
    parser.add_argument("--run", type=Path, help="keep the run there")
    arguments = vars(parser.parse_args())
    kept = arguments.pop("run")
    given = {name: value for name, value in arguments.items() if value is not None}
    with tempfile.TemporaryDirectory() as folder, run_directory(kept) as run:
        paths = write_parts(Path(folder))
        options = merge_options({**given, "sample_tokens": 0, "val": paths["development"]})
        answer = train(paths["train"], run, options)
        answer["nats"] = {part: evaluate(run, paths[part]) for part in EVALUATED}
    print(answer["nats"])
    shown = {**options.as_dict(), "val": "the development part"}
    write_result(
        f"shakespeare-{arguments['preset']}",
        {"preset": arguments["preset"], "options": shown, **answer},
    )


def train(source: str, run: Path, options: Any) -> dict[str, Any]:
    """Train into `run`; return the curve on the development part."""
    curve, speeds, wall, trained = [], [], 0.0, 0.0
    for report, wall, trained in clocked(whole(train_text((source,), run, options))):
        match report:
            case StartReport():
                parameters = report.parameters
            case StepReport():
                speeds.append(report.tokens_per_s)
            case EvalReport():
                curve.append(point(report.step, wall, trained, report.val_loss_nats))
    return {
        "parameters": parameters,
        "wall_s": round(wall, 2),
        "train_s": round(trained, 2),
        "best": best(curve),
        "seconds_to": seconds_to(curve),
        "median_tokens_per_s": sorted(speeds)[len(speeds) // 2],
        "curve": curve,
    }


def evaluate(run: Path, path: str) -> dict[str, float]:
    """Return nats per character of a part, each way."""
    loaded = unspool.load(run)
    return {way: loaded.evaluate(path, window=size).loss_nats for way, size in WAYS.items()}


if __name__ == "__main__":
    main()
