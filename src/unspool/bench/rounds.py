"""Run the benchmark: all contestants and the machine's limits in turn, per workload."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ..errors import ConfigError
from ..library import threads as usable_threads
from . import contestants, limits
from .contestants import Start, our_name
from .timing import Run, in_turn, median, warm_up
from .workloads import (
    BYTES,
    QUICK_SAMPLING,
    QUICK_TRAINING,
    SAMPLING,
    TRAINING,
    Workload,
)

KINDS = ("training", "sampling")
TARGET_S, QUICK_TARGET_S = 0.2, 0.01  # of one contestant's turn, at least one unit
ROUNDS, QUICK_ROUNDS = 7, 2

Result = dict[str, Any]


def check(only: str | None, rounds: int | None) -> None:
    """Raise ConfigError if an option is invalid."""
    if only is not None and only not in KINDS:
        raise ConfigError(f"only must be one of {', '.join(KINDS)}, got {only!r}")
    if rounds is not None and rounds < 1:
        raise ConfigError(f"rounds must be at least 1, got {rounds}")


def missing(only: str | None) -> list[str]:
    """Return a line for each peer that cannot take part."""
    peers = {"training": contestants.TRAINING_PEERS, "sampling": contestants.SAMPLING_PEERS}
    taking_part = [peer for kind in KINDS if only in (None, kind) for peer in peers[kind]]
    return list(dict.fromkeys(contestants.missing(taking_part)))


def results(
    only: str | None = None, *, quick: bool = False, rounds: int | None = None
) -> Iterator[Result]:
    """Measure one workload after the other.

    `quick` takes tiny workloads and two rounds: it shows that everything runs, no more.
    Raises ConfigError for an unknown `only` or `rounds` below 1.
    """
    check(only, rounds)
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    target_s = QUICK_TARGET_S if quick else TARGET_S
    if only in (None, "training"):
        for workload in QUICK_TRAINING if quick else TRAINING:
            yield _training(workload, rounds, target_s)
    if only in (None, "sampling"):
        for workload in QUICK_SAMPLING if quick else SAMPLING:
            yield _sampling(workload, rounds, target_s)


def _training(workload: Workload, rounds: int, target_s: float) -> Result:
    starts = contestants.trainers(workload, usable_threads())
    result = _measure(workload, starts, {"sgemm": limits.sgemm}, rounds, target_s)
    times = {name: median(one) for name, one in result["seconds"].items()}
    rates = {
        name: workload.training_flops / time for name, time in times.items() if name != "sgemm"
    }
    limit = limits.SGEMM_FLOPS / times["sgemm"]
    tokens = workload.batch * workload.steps
    return {
        "kind": "training",
        **result,
        "needed_gflop": workload.training_flops / 1e9,
        "limit": {"sgemm_gflops": limit / 1e9},
        "tokens_per_s": {name: tokens / times[name] for name in rates},
        "share_of_limit": {name: rate / limit for name, rate in rates.items()},
        **_ratio(times, tuple(peer.name for peer in contestants.TRAINING_PEERS)),
    }


def _sampling(workload: Workload, rounds: int, target_s: float) -> Result:
    threads = usable_threads()
    ways: dict[str, Start] = {
        f"read {weights}": partial(limits.read, workload.token_bytes(weights), threads)
        for weights in BYTES
    }
    result = _measure(workload, contestants.samplers(workload, threads), ways, rounds, target_s)
    times = {name: median(one) for name, one in result["seconds"].items()}
    reading = {weights: times[f"read {weights}"] for weights in BYTES}
    names = {our_name(weights): weights for weights in BYTES}
    return {
        "kind": "sampling",
        **result,
        "needed_bytes": {w: workload.token_bytes(w) for w in BYTES},
        "limit": {f"{w}_gb_per_s": workload.token_bytes(w) / reading[w] / 1e9 for w in BYTES},
        "tokens_per_s": {name: 1 / times[name] for name in times if name not in ways},
        "share_of_limit": {
            name: reading[names.get(name, "float32")] / times[name]
            for name in times
            if name not in ways
        },
        **_ratio(times, tuple(peer.name for peer in contestants.SAMPLING_PEERS)),
    }


def _measure(
    workload: Workload,
    starts: Mapping[str, Start],
    ways: Mapping[str, Start],
    rounds: int,
    target_s: float,
) -> Result:
    """Measure the times of all that run; a peer that fails is added to `failed`."""
    ready: dict[str, tuple[Run, int]] = {}
    failed = {}
    for name, start in {**starts, **ways}.items():
        try:
            run = start()
            ready[name] = run, warm_up(run, target_s)
        except Exception as error:
            if name.startswith("unspool") or name in ways:
                raise
            failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return {
        "shape": {**workload._asdict(), "name": workload.name},
        "failed": failed,
        "seconds": in_turn(ready, rounds),
    }


def _ratio(times: Mapping[str, float], peers: tuple[str, ...]) -> Result:
    """Return how many times faster ours is than the best peer, by medians; None without peers."""
    best = min((name for name in peers if name in times), key=times.__getitem__, default=None)
    return {"best_peer": best, "ratio": times[best] / times["unspool"] if best else None}
