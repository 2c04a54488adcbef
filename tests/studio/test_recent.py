"""The last few values that the studio keeps by name."""

from unspool.studio.recent import Recent


def test_the_value_used_longest_ago_goes_first():
    recent = Recent(2)
    first, second = recent.keep("first"), recent.keep("second")
    assert recent.find(first) == "first"
    third = recent.keep("third")
    assert [recent.find(name) for name in (first, second, third)] == ["first", None, "third"]


def test_a_value_of_the_same_name_takes_its_place():
    recent = Recent(2)
    other = recent.keep(0)
    for value in (1, 2, 3):
        assert recent.keep(value, "run") == "run"
    assert (recent.find("run"), recent.find(other)) == (3, 0)


def test_nothing_is_kept_after_clear():
    recent = Recent(2)
    name = recent.keep(1)
    recent.clear()
    assert recent.find(name) is None
