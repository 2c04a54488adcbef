"""Write the tables of tiny Shakespeare, with the figures that others published."""

from typing import Any

from .figures import ceil, parameters, result, seconds, table
from .tiny_shakespeare import EVALUATED, GOALS_NATS

NANOGPT = 1.4697  # nanoGPT's README: best of its evaluations, 10.7 M parameters on an A100
NANOGPT_CPU = 1.88  # nanoGPT's README, of 20 batches
MIN_GRU = 1.548  # Feng et al. 2024, arXiv 2410.01201

PRESETS = {"small": "`--preset small`, GRU 1x256", "large": "`--preset large`, LSTM 1x512"}
TRANSFORMER = "a transformer of nanoGPT's CPU configuration"
WAYS = {
    "carried": "state carried",
    "window_256": "windows of 256",
    "window_64": "windows of 64",
}


def shakespeare_speed() -> str:
    """Tabulate the time to a loss on the development part, on both clocks."""
    goals = [f"to {goal:g} nats" for goal in GOALS_NATS]
    models = {title: result(f"shakespeare-{preset}") for preset, title in PRESETS.items()}
    models[f"{TRANSFORMER}, in torch"] = result("nanogpt_cpu")
    return table(
        ("", "parameters", *goals, "best on development", "whole training"),
        *(_speed_row(title, found) for title, found in models.items()),
    )


def _speed_row(title: str, found: Any) -> tuple[str, ...]:
    goals = [found["seconds_to"][str(goal)] for goal in GOALS_NATS]
    best = found["best"]
    return (
        title,
        parameters(found["parameters"]),
        *("" if clocks is None else _clocks(clocks) for clocks in goals),
        f"{ceil(best['development_nats'], 3)} after {_clocks(best)}",
        _clocks(found),
    )


def _clocks(clocks: Any) -> str:
    return f"{seconds(clocks['wall_s'])} ({seconds(clocks['train_s'])})"


def shakespeare_nats() -> str:
    """Tabulate nats per character by part and way, with those of others."""
    rows = [
        (f"{title}, {WAYS[way]}", *(ceil(found[part][way], 4) for part in EVALUATED))
        for preset, title in PRESETS.items()
        for found in [result(f"shakespeare-{preset}")["nats"]]
        for way in WAYS
    ]
    transformer = result("nanogpt_cpu")["nats"]
    (way,) = transformer["whole"]
    return table(
        ("nats per character", "development", "test", "whole last 10 %"),
        *rows,
        (f"{TRANSFORMER}, {WAYS[way]}", *(ceil(transformer[p][way], 4) for p in EVALUATED)),
        (
            "published: nanoGPT, CPU configuration, windows of 64 at random",
            "",
            "",
            f"{NANOGPT_CPU}",
        ),
        ("published: nanoGPT, 10.7 M parameters, windows of 256 at random", "", "", f"{NANOGPT}"),
        ("published: minGRU (Feng et al. 2024; its own held-out part)", "", "", f"{MIN_GRU}"),
    )
