"""The README's tables of speed are those of the kept results."""

from benchmarks.readme import README, rewritten


def test_the_tables_are_generated():
    readme = README.read_text()
    assert rewritten(readme) == readme, "run python -m benchmarks.readme"
