"""The figures in the documents are those of the kept results, and there are no others."""

import re

import pytest
from benchmarks.blocks import BLOCKS
from benchmarks.figures import ceil, floor, percent
from benchmarks.tables import BLOCK, PAGES, ROOT, rewritten

CODE = re.compile(r"^```.*?^```$|^ {4}[^\n]*$|`[^`]*`|\]\([^)]*\)|<!--.*?-->", re.M | re.S)
NUMBER = re.compile(r"(?<![\w.,])(?<![A-Za-z]-)\d[\d.,]*(?<=\d)(?![\w])")

# Numbers outside of blocks and code that are no measurement: by page and reason.
NOT_MEASURED = {
    "README.md": {"versions of Python": "3.11 3.13", "exit code": "2"},
    "docs/results.md": {
        "parts of tiny Shakespeare, per cent": "90 5 10",
        "lanes, and characters of context": "32 1 256 64",
    },
    "docs/captions.md": {"sizes of pictures": "32 64", "width of the beam": "3"},
    "docs/inspecting.md": {
        "shifts and p-values of the control": "19 0.05 0.01",
        "saturation": "0.9",
    },
    "docs/cli.md": {"exit code": "2"},
    "docs/data-formats.md": {"passages that are searched for": "20"},
}


def page(name):
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_the_blocks_are_written_from_the_results(name):
    assert rewritten(page(name)) == page(name), "run python -m benchmarks.tables"


def test_every_block_stands_on_a_page():
    found = [match["name"] for name in PAGES for match in BLOCK.finditer(page(name))]
    assert sorted(found) == sorted(BLOCKS)
    assert "".join(map(page, PAGES)).count("written by python -m") == len(found)


@pytest.mark.parametrize("name", PAGES)
def test_no_figure_stands_outside_of_the_blocks(name):
    text = CODE.sub("", BLOCK.sub("", page(name)))
    assert sorted(set(NUMBER.findall(text))) == sorted(
        {number for numbers in NOT_MEASURED.get(name, {}).values() for number in numbers.split()}
    )


def test_figures_are_not_rounded_in_our_favour():
    assert floor(37.87, 1) == "37.8"
    assert ceil(1.4611, 3) == "1.462"
    assert percent(0.29, 0) == "29 %"  # 0.29 * 100 is 28.999999999999996
    assert percent(0.8715) == "87.1 %"
    assert ceil(1.1, 1) == "1.1"  # 1.1 * 10 is 11.000000000000002
    assert floor(12345.6) == "12,345"
