"""Write the tables of speed, from results/bench.json."""

from typing import Any

from .figures import floor, result, table

PEERS = {"torch": "torch", "flax": "Flax", "keras": "Keras", "onnxruntime": "ONNX Runtime"}
TRAINING = ("unspool", "torch", "flax", "keras")
SAMPLING = ("unspool", "unspool bfloat16", "unspool int8", "torch", "onnxruntime")


def bench() -> str:
    """Tabulate the speed of training and sampling, compared with other libraries."""
    answer = result("bench")
    training, sampling = (
        [one for one in answer["results"] if one["kind"] == kind]
        for kind in ("training", "sampling")
    )
    rounds = {len(times) for one in answer["results"] for times in one["seconds"].values()}
    return (
        f"Medians of {max(rounds)} rounds, {answer['threads']} threads each.\n\n"
        "Training, tokens a second, and the rate of the necessary matrix products as a share of "
        "sgemm's:\n\n"
        + _table(training, TRAINING, "of sgemm")
        + "\nSampling, one text at a time, tokens a second, and the rate of reading weights as a "
        "share of the memory's:\n\n" + _table(sampling, SAMPLING, "of reading")
    )


def _table(results: list[dict[str, Any]], names: tuple[str, ...], share: str) -> str:
    head = ["", *(_title(name) for name in names), "speed-up over best peer", share]
    return table(head, *(_row(one, names) for one in results))


def _title(name: str) -> str:
    return PEERS.get(name) or name.replace("unspool", "Unspool", 1)


def _row(one: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    shape, speeds = one["shape"], one["tokens_per_s"]
    chunk = f" B{shape['batch']} T{shape['steps']}" if one["kind"] == "training" else ""
    return [
        f"{shape['cell'].upper()} {shape['layers']}x{shape['hidden']}{chunk}",
        *(f"{speeds[name]:,.0f}" if name in speeds else "" for name in names),
        floor(one["ratio"], 2),
        f"{floor(100 * one['share_of_limit']['unspool'])} %",
    ]
