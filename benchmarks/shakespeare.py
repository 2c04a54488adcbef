"""What does a preset reach on tiny Shakespeare, and how fast?

The first 90 % of the characters train, the last 10 % are held out and evaluated whole. Time is
the wall clock from the call of `train`, with compilation, evaluations and saving.
"""

import argparse
import tempfile
from pathlib import Path

from unspool.recipes.text import merge_options, train_text
from unspool.training import EvalReport, StepReport

from .common import data_file, write_result

GOALS_NATS = (1.886, 1.60, 1.50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", choices=("small", "medium", "large"))
    parser.add_argument("--eval-every", type=int)
    arguments = parser.parse_args()
    given = {"preset": arguments.preset, "sample_tokens": 0}
    if arguments.eval_every:
        given["eval_every"] = arguments.eval_every
    options = merge_options(given)
    curve, speeds = [], []
    with tempfile.TemporaryDirectory() as folder:
        source = str(data_file("tiny-shakespeare.txt"))
        for report in train_text((source,), Path(folder) / "run", options):
            if isinstance(report, StepReport):
                speeds.append(report.tokens_per_s)
            if isinstance(report, EvalReport):
                point = {
                    "step": report.step,
                    "elapsed_s": round(report.elapsed_s, 2),
                    "val_loss_nats": report.val_loss_nats,
                }
                curve.append(point)
                print(point, flush=True)
    answer = {
        "preset": arguments.preset,
        "options": options.as_dict(),
        "best_val_loss_nats": min(point["val_loss_nats"] for point in curve),
        "seconds_to": {str(goal): _first(curve, goal) for goal in GOALS_NATS},
        "median_tokens_per_s": sorted(speeds)[len(speeds) // 2],
        "curve": curve,
    }
    write_result(f"shakespeare-{arguments.preset}", answer)


def _first(curve: list[dict[str, float]], goal: float) -> float | None:
    return next((p["elapsed_s"] for p in curve if p["val_loss_nats"] <= goal), None)


if __name__ == "__main__":
    main()
