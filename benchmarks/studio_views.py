"""How smooth are the studio's views on units, with 10,000 characters of an LSTM of 512 units?

Colouring the text by another unit: the script's time, and the time until the frame that shows it
is done. Panning the heat map: the time from frame to frame, at three zooms. In headless Chromium,
which draws without a graphics card.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from playwright.sync_api import Page, sync_playwright

import unspool
from unspool.studio.app import create_app
from unspool.studio.security import Codes

from .common import data_file, write_result

TOKENS, UNITS, TOKEN = 10_000, 512, "of-the-benchmark"

SETUP = """async ([text]) => {
  const { raw } = await import("/static/calls.js");
  const map = await import("/static/textmap.js");
  const heat = await import("/static/heatmap.js");
  const answer = await raw("/api/cells/trace/run", { json: { text } });
  const trace = await answer.json();
  const bytes = await (await raw(`/api/cells/values/${trace.id}/0/c`)).arrayBuffer();
  const values = new Int8Array(bytes);
  const main = document.querySelector("main");
  const [box, canvas] = [document.createElement("div"), document.createElement("canvas")];
  canvas.className = "heatmap";
  canvas.style.height = "512px";
  main.replaceChildren(canvas, box);
  const nothing = { onCaret() {}, onSpan() {}, onHover() {}, onPick() {} };
  window.text = new map.TextMap(box, nothing);
  window.text.set(trace.tokens);
  window.heat = new heat.HeatMap(canvas, nothing);
  const [T, H] = [trace.tokens.length, trace.layers[0].units];
  window.heat.set(values, T, H);
  window.values = (unit) => values.subarray(unit * T, (unit + 1) * T);
  return [T, H];
}"""

COLOUR = """async () => {
  const [script, frame] = [[], []];
  for (let unit = 0; unit < 100; unit++) {
    const began = performance.now();
    window.text.colour(window.values(unit));
    script.push(performance.now() - began);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    frame.push(performance.now() - began);
  }
  return { script, frame };
}"""

PAN = """async (across) => {
  const { heat } = window;
  Object.assign(heat.view, { across, down: 1, left: 2000 });
  const [script, frame] = [[], []];
  let last = performance.now();
  for (let i = 0; i < 120; i++) {
    heat.pan(i % 40 < 20 ? -13 : 13, 0);
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now();
    frame.push(now - last);
    last = now;
    heat.sheet.now();
    script.push(performance.now() - last);
  }
  return { script: script.slice(5), frame: frame.slice(5) };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    text = data_file("linux-kernel.txt").read_text()[:TOKENS]
    with TemporaryDirectory() as folder, served(untrained(text, Path(folder))) as address:
        answer = measure(arguments.chromium, address, text)
    print(answer)
    write_result("studio_views", answer)


def untrained(text: str, folder: Path) -> Path:
    """Make a folder with a run of one step: what is drawn does not depend on what was learned."""
    (folder / "text.txt").write_text(text)
    data = unspool.Text.read(folder / "text.txt")
    model = unspool.LanguageModel.create(data.vocab, cell="lstm", hidden_size=UNITS)
    task = unspool.LanguageTask(data, batch=2, steps_per_chunk=8)
    for _ in unspool.train(model, task, run=folder / "run", max_steps=1):
        pass
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the studio on a free port."""
    codes = Codes()
    app = create_app(folder, TOKEN, codes)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/?code={codes.new()}"
    server.should_exit = True
    thread.join()


def measure(chromium: str, address: str, text: str) -> dict[str, Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"{address}#/unrolled")
        page.wait_for_selector("h1")
        tokens, units = page.evaluate(SETUP, [text])
        page.wait_for_timeout(500)
        answer = {
            "tokens": tokens,
            "cells": units,
            "colour": summary(page, COLOUR),
            "pan": {f"{across} px a token": summary(page, PAN, across) for across in (0.2, 1, 4)},
        }
        browser.close()
    return answer


def summary(page: Page, script: str, *arguments: Any) -> dict[str, float]:
    """Return median and largest milliseconds of the script, and of whole frames."""
    times = page.evaluate(script, *arguments)
    return {
        f"{name}_ms_{kind}": round(of(times[name]), 2)
        for name in times
        for kind, of in (("median", statistics.median), ("most", max))
    }


if __name__ == "__main__":
    main()
