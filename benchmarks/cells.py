"""Which units of an LSTM of 2 x 256 units stand for what in C, and how long does finding them take?

Trains on linux-kernel.txt (or takes a run that was), scores every unit on the run's held-out part,
and times `unspool inspect` on the first million characters: the whole command, with the pass,
annotations and scores.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

from .common import data_file, run_directory, unspool, write_result

OPTIONS = (
    "--cell", "lstm", "--hidden", "256", "--layers", "2", "--batch", "32",
    "--steps-per-chunk", "128", "--learning-rate", "3e-3", "--eval-every", "1000",
)  # fmt: skip
CHARS = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run", type=Path, help="keep the run there; an existing one is used as it is"
    )
    parser.add_argument("--minutes", type=float, default=15)
    arguments = parser.parse_args()
    with run_directory(arguments.run) as run:
        if not run.exists():
            train(run, arguments.minutes)
        write_result("cells", {**quality(run), **speed(run)})


def train(run: Path, minutes: float) -> None:
    unspool(
        "train",
        "text",
        data_file("linux-kernel.txt"),
        "--run",
        run,
        *OPTIONS,
        "--max-minutes",
        minutes,
    )


def quality(run: Path) -> dict[str, Any]:
    """Return the best unit of each annotation on the held-out part."""
    found = json.loads(unspool("inspect", run, "--json", "--top", 1))
    return {
        "text_bytes": data_file("linux-kernel.txt").stat().st_size,
        "options": (run / "options.toml").read_text().splitlines(),
        "val_loss_nats": json.loads(unspool("eval", run, "--json"))["loss_nats"],
        "held_out_chars": found["chars"],
        "best": found["scores"],
        "auc_of_0.9": sum(score.get("auc", 0) >= 0.9 for score in found["scores"]),
    }


def speed(run: Path) -> dict[str, Any]:
    """Return the seconds of the whole command, and the most memory that one of the commands
    took.
    """
    began = time.perf_counter()
    unspool("inspect", run, data_file("linux-kernel.txt"), "--max-chars", CHARS, "--json")
    return {
        "chars": CHARS,
        "seconds": time.perf_counter() - began,
        "peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
