"""Write the tables of speed in docs/results.md, between its two comments, from bench.json."""

import json
from pathlib import Path
from typing import Any

from .common import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
BEGIN, END = "<!-- bench: written by python -m benchmarks.tables -->", "<!-- /bench -->"
PEERS = {"torch": "torch", "flax": "Flax", "keras": "Keras", "onnxruntime": "ONNX Runtime"}


def main() -> None:
    PAGE.write_text(rewritten(PAGE.read_text()))


def rewritten(page: str) -> str:
    """The page with the tables that belong to the results."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    answer = json.loads((RESULTS / "bench.json").read_text())
    return f"{before}{BEGIN}\n{tables(answer['results'])}{END}{after}"


def tables(results: list[dict[str, Any]]) -> str:
    training = [result for result in results if result["kind"] == "training"]
    sampling = [result for result in results if result["kind"] == "sampling"]
    return (
        "Training, tokens a second, and the share of sgemm's rate that needed products get:\n\n"
        + _table(training, ["unspool", "torch", "flax", "keras"], "of sgemm")
        + "\nSampling, one text at a time, tokens a second, and the share of reading's rate:\n\n"
        + _table(
            sampling,
            ["unspool", "unspool bfloat16", "unspool int8", "torch", "onnxruntime"],
            "of reading",
        )
    )


def _table(results: list[dict[str, Any]], names: list[str], share: str) -> str:
    head = ["", *(_title(name) for name in names), "best peer x", share]
    rows = [head, ["---"] * len(head), *(_row(result, names) for result in results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _title(name: str) -> str:
    return PEERS.get(name) or name.replace("unspool", "Unspool", 1)


def _row(result: dict[str, Any], names: list[str]) -> list[str]:
    shape, speeds = result["shape"], result["tokens_per_s"]
    chunk = f" B{shape['batch']} T{shape['steps']}" if result["kind"] == "training" else ""
    return [
        f"{shape['cell'].upper()} {shape['layers']}x{shape['hidden']}{chunk}",
        *(f"{speeds[name]:,.0f}" if name in speeds else "" for name in names),
        f"{result['ratio']:.2f}",
        f"{result['share_of_limit']['unspool']:.0%}",
    ]


if __name__ == "__main__":
    main()
