"""How soon does the studio's page show, and how evenly does text stream into it?

Runs headless Chromium of this machine (playwright) on a studio of the given run. First paint:
Chromium's first-contentful-paint of the list of runs in a fresh context, median of five. Streaming:
the longest time between two changes of the text while 2,000 tokens are written at full speed.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, sync_playwright

from unspool.studio.app import create_app
from unspool.studio.security import Codes

from .common import write_result

CHROMIUM = "/usr/bin/chromium"
TOKEN = "benchmark"
CONTEXTS, TOKENS = 5, 2000
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
WATCH = """() => {
  const times = (window.times = []);
  new MutationObserver(() => times.push(performance.now()))
    .observe(document.querySelector('.written'), { childList: true });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="a run of `train text`")
    run = parser.parse_args().run.resolve()
    with serve(run.parent) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        answer = {"first_paint_ms": first_paints(browser, address)}
        answer["median_first_paint_ms"] = statistics.median(answer["first_paint_ms"])
        answer["streaming"] = streaming(browser, address, run.name)
        browser.close()
    print(answer)
    write_result("studio", answer)


@contextmanager
def serve(folder: Path) -> Iterator[Callable[[], str]]:
    """Serve the studio of a folder on a free port; yield a function that returns new addresses."""
    codes = Codes()
    config = uvicorn.Config(create_app(folder, TOKEN, codes), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (listening,) = server.servers[0].sockets
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    yield lambda: f"{address}?code={codes.new()}"
    server.should_exit = True
    thread.join()


def first_paints(browser: Browser, address: Callable[[], str]) -> list[float]:
    """Return milliseconds to the first contentful paint, each in a context without a cache."""
    times = []
    for _ in range(CONTEXTS):
        context = browser.new_context()
        page = context.new_page()
        page.goto(address())
        page.wait_for_selector("a.name")
        times.append(round(page.evaluate(PAINT), 1))
        context.close()
    return times


def streaming(browser: Browser, address: Callable[[], str], run: str) -> dict[str, Any]:
    """Return the gaps between changes of the text, after first tokens that compile the programs."""
    page = browser.new_page()
    page.goto(f"{address()}#/play/{run}")
    page.wait_for_selector(".choices button")
    number = page.locator("input[type=number]").first
    for tokens in (50, TOKENS):
        number.fill(str(tokens))
        if tokens == TOKENS:
            page.evaluate(WATCH)
        page.click("button.primary")
        page.locator("button.primary", has_text="Stop").wait_for()
        page.locator("button.primary", has_text="Write").wait_for(timeout=120_000)
    times = page.evaluate("times")
    gaps = [b - a for a, b in pairwise(times)]
    return {
        "tokens": TOKENS,
        "tokens_per_s": TOKENS / (times[-1] - times[0]) * 1000,
        "longest_gap_ms": round(max(gaps), 1),
        "median_gap_ms": round(statistics.median(gaps), 1),
    }


if __name__ == "__main__":
    main()
