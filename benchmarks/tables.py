"""Write the figures of the documents from the results: `python -m benchmarks.tables`.

A page has blocks that begin with <!-- NAME: written by python -m benchmarks.tables --> and end with
<!-- /NAME -->; the function NAME in blocks.py writes what is between. Figures that are measured are
nowhere else: tests/bench/test_tables.py finds numbers outside of the blocks.
"""

import re
from pathlib import Path

from .blocks import BLOCKS

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md", "docs/results.md", "docs/captions.md", "docs/inspecting.md", "docs/studio.md",
    "docs/cli.md", "docs/data-formats.md",
)  # fmt: skip
BLOCK = re.compile(
    r"(<!-- (?P<name>[\w-]+): written by python -m benchmarks\.tables -->\n)"
    r".*?(<!-- /(?P=name) -->)",
    re.DOTALL,
)


def main() -> None:
    for name in PAGES:
        page = ROOT / name
        page.write_text(rewritten(page.read_text()))


def rewritten(page: str) -> str:
    """Return the page with its blocks written from the results."""
    return BLOCK.sub(lambda found: found[1] + BLOCKS[found["name"]]() + found[3], page)


if __name__ == "__main__":
    main()
