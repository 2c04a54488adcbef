"""What --help says of options that several commands share."""

import re

import pytest

from unspool.tasks.registry import KINDS


@pytest.fixture
def help_of(unspool):
    """The words of a help page, without its frames."""

    def read(name):
        done = unspool(*name.split(), "--help")
        assert (done.code, done.err) == (0, "")
        return " ".join(re.sub("[│╭╮╰╯─]", " ", done.out).split())

    return read


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("translate", {"num-beams": 5, "length-penalty": 1.0, "temperature": 1.0, "batch": 32}),
        ("caption", {"num-beams": 3, "length-penalty": 0.7, "max-new-tokens": 40}),
        ("sample", {"temperature": 0.8, "max-new-tokens": 500, "count": 1}),
    ],
)
def test_each_command_shows_its_own_defaults(help_of, name, defaults):
    page = help_of(name)
    for option, default in defaults.items():
        shown = re.search(rf"--{option} <\w+> [^<]*?\[default: (.*?)\]", page)
        assert shown is not None, option
        assert shown[1] == str(default)


def test_sampling_instead_of_searching_is_one_flag(help_of):
    for name in ("translate", "caption"):
        page = help_of(name)
        assert "--sample <bool>" in page
        assert "do-sample" not in page
        assert "--no-" not in page
    assert "--sample" not in help_of("sample")


def test_eval_has_the_options_of_every_kind(help_of):
    page = help_of("eval")
    for kind in KINDS.values():
        for name in (*kind.run.eval_options.__dataclass_fields__, *kind.recipe.source_options):
            assert f"--{name.replace('_', '-')} <" in page
    assert "(translate 5, caption 3)" in page
    assert "Runs of `train translate` and `train caption`" in page
