"""How many new pictures of shapes does `unspool demo caption` describe exactly?

Uses its pictures, recipe and time. `wall_s` is that of the training, with compilation, evaluations
and saving; the pictures are generated before, and the 500 new ones described afterwards.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from unspool import EvalReport, load
from unspool.data.shapes import NEW, captioned_shapes, described, new_pictures
from unspool.tasks.caption.recipe import CAPTIONER

from .common import whole, write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        sources, options = captioned_shapes(Path(folder) / "pictures")
        answer = train(sources, Path(folder) / "run", {**options, "max_minutes": minutes})
        exact = sum(right for _, right in described(load(Path(folder) / "run"), new_pictures()))
    answer = {"minutes": minutes, "pictures": NEW, "exact": exact, "share": exact / NEW, **answer}
    print(answer)
    write_result("caption_demo", answer)


def train(sources: tuple[str, str], run: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Return the wall clock time and the last step."""
    began, step = time.perf_counter(), 0
    for report in whole(CAPTIONER.start(sources, run, CAPTIONER.merge(sources, options))):
        if isinstance(report, EvalReport):
            step = report.step
            print(f"step {step}  {report.val_loss_nats:.4f} nats  {report.metrics}", flush=True)
    return {"steps": step, "wall_s": round(time.perf_counter() - began, 1)}


if __name__ == "__main__":
    main()
