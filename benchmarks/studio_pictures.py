"""Take the pictures of README.md and docs/studio.md: views of a studio in headless Chromium.

python -m benchmarks.studio_pictures RUN, a run of `train text` on C source that has its data. Needs
playwright.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from .studio import CHROMIUM, serve

IMAGES = Path(__file__).parents[1] / "docs" / "img"
WIDE, PHONE = {"width": 1180, "height": 760}, {"width": 390, "height": 760}
IN_COMMENT = (
    15,
    24,
)  # lines down and characters right, on the first held-out text of linux-kernel.txt
PATIENCE_MS = 300_000  # programs compile, and other jobs may run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run.resolve()
    with serve(run.parent) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = opened(browser, address, "light", WIDE)
        page.wait_for_selector("a.name")
        page.wait_for_timeout(1500)
        shot(page, "runs")
        play(page, run.name)
        shot(page, "play")
        page.evaluate("location.hash = '#/unrolled'")
        page.wait_for_selector(".graph .step")
        page.wait_for_timeout(500)
        shot(page, "unrolled")
        page.evaluate(f"location.hash = '#/cells/{run.name}'")
        page.wait_for_selector(".textmap canvas")
        page.get_by_label("order of the units").select_option(label="comment")
        page.locator(".ranked button").first.click()
        page.get_by_label("The text, coloured").focus()
        for key in ["ArrowDown"] * IN_COMMENT[0] + ["ArrowRight"] * IN_COMMENT[1]:
            page.keyboard.press(key)
        page.wait_for_timeout(1500)
        shot(page, "units")
        phone = opened(browser, address, "dark", PHONE)
        phone.wait_for_selector("a.name")
        play(phone, run.name)
        shot(phone, "phone")
        browser.close()


def opened(browser: Browser, address: Callable[[], str], scheme: str, size: dict[str, int]) -> Page:
    page = browser.new_context(color_scheme=scheme, viewport=size).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address())
    return page


def play(page: Page, run: str) -> None:
    """Write some text and go back in it a little."""
    page.evaluate(f"location.hash = '#/play/{run}'")
    page.wait_for_selector(".choices button")
    page.fill("input[aria-label=prompt]", "static int ")
    page.click("text=Begin")
    page.wait_for_timeout(500)
    page.locator("input[type=number]").first.fill("420")
    page.click("button.primary")
    page.locator("button.primary", has_text="Stop").wait_for()
    page.locator("button.primary", has_text="Write").wait_for()
    page.focus(".written")
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(700)


def shot(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"studio-{name}.png")


if __name__ == "__main__":
    main()
