"""What do weights of fewer bits cost in loss, and what do they gain in sampling speed?

RUN is a language model's run directory, that of `shakespeare.py small --run RUN`. The loss is that
of its whole held-out part, there the development part. Speeds are medians of interleaved repeats,
one text at a time.
"""

import argparse
import statistics
import time

import unspool
from unspool.decoding import LanguageStepper, sample

from .common import write_result

TYPES = ("float32", "bfloat16", "int8")
TOKENS, REPEATS = 2000, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    run = unspool.load(parser.parse_args().run)
    steppers = {name: LanguageStepper(run.model, name) for name in TYPES}
    speeds: dict[str, list[float]] = {name: [] for name in TYPES}
    for repeat in range(REPEATS + 1):
        for name, stepper in steppers.items():
            began = time.perf_counter()
            sample(stepper, [0], max_new_tokens=TOKENS, seed=repeat)
            if repeat:  # the first one compiles
                speeds[name].append(TOKENS / (time.perf_counter() - began))
    answer = {
        "model": run.config["model"],
        "by_type": {
            name: {
                "val_loss_nats": run.evaluate(weights=name).loss_nats,
                "tokens_per_s": round(statistics.median(speeds[name])),
            }
            for name in TYPES
        },
    }
    print(answer["by_type"])
    write_result(f"weights-{run.config['model']['cell']}", answer)


if __name__ == "__main__":
    main()
