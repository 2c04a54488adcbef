"""The tables of speed in the documents are those of the kept results."""

from benchmarks.tables import PAGE, rewritten


def test_the_tables_are_generated():
    page = PAGE.read_text()
    assert rewritten(page) == page, "run python -m benchmarks.tables"
