"""Plot docs/img/scaling.svg from results/scaling.json and results/memory.json."""

import json
import statistics
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from .common import RESULTS

IMAGE = Path(__file__).parents[1] / "docs/img/scaling.svg"
INK, ACCENT = "#444444", "#0b7285"


def main() -> None:
    mpl.rcParams.update({"svg.hashsalt": "unspool", "font.size": 9, "axes.edgecolor": INK})
    figure, (time, cost, memory) = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
    _draw_time(time, json.loads((RESULTS / "scaling.json").read_text()))
    texts = json.loads((RESULTS / "memory.json").read_text())["texts"]
    sizes = [text["text_mb"] for text in texts]
    _draw(cost, sizes, [text["ms_per_step"] for text in texts], "text, MB", "ms a training step")
    _draw(memory, sizes, [text["at_the_end"] for text in texts], "text, MB", "memory, MiB")
    for axes in (cost, memory):
        axes.set_xscale("log")
        axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    IMAGE.parent.mkdir(exist_ok=True)
    figure.savefig(IMAGE, metadata={"Date": None})
    print(f"wrote {IMAGE}")


def _draw_time(axes: plt.Axes, answer: dict) -> None:
    steps = [int(number) for number in answer["step_s"]]
    medians = [1e3 * statistics.median(times) for times in answer["step_s"].values()]
    _draw(axes, steps, medians, "time steps a chunk", "ms a training step")
    axes.set_xscale("log")
    axes.set_yscale("log")
    straight = [medians[-1] * number / steps[-1] for number in steps]
    axes.plot(steps, straight, color=INK, linewidth=0.8, linestyle="--", label="proportional")
    axes.legend(frameon=False)


def _draw(axes: plt.Axes, x: list[float], y: list[float], x_name: str, y_name: str) -> None:
    axes.plot(x, y, color=ACCENT, marker="o", markersize=4)
    axes.set_xlabel(x_name)
    axes.set_ylabel(y_name)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
