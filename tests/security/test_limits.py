"""The table of limits in the documents is that of the code."""

import re
from pathlib import Path

from unspool import limits

ROOT = Path(__file__).parents[2]
UNITS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "bytes": 1}


def test_every_limit_is_in_the_documents():
    page = (ROOT / "docs/limits.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+)(?: (\w+))? \|", page, re.MULTILINE)
    told = {name: int(number.replace(",", "")) * UNITS.get(unit, 1) for name, number, unit in rows}
    assert told == {name: value for name, value in vars(limits).items() if name.isupper()}
