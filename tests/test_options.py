"""Options: rules that the recipes' options do not have, and what functions get of them."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from unspool.errors import ConfigError
from unspool.options import Options, option, redeclared


@dataclass(frozen=True, kw_only=True)
class Shape(Options):
    hidden: int = option(8, "units", at_least=1)
    power: float = option(1.0, "between", at_least=-5, at_most=5)
    share: float = option(1.0, "not nothing", above=0, at_most=1)
    most: int = option(1, "no more", at_most=9)
    name: str = option("a", "a name")


@dataclass(frozen=True, kw_only=True)
class Wide(Shape):
    hidden: int = redeclared(Shape, "hidden", default=99)
    power: float = redeclared(Shape, "power", help="of two", flag="exponent")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"power": 5.5}, "power must be from -5 to 5, got 5.5"),
        ({"power": -6}, "power must be from -5 to 5, got -6"),
        ({"power": float("nan")}, "power must be from -5 to 5, got nan"),
        ({"share": 0}, "share must be above 0 and at most 1, got 0"),
        ({"share": 1.5}, "share must be above 0 and at most 1, got 1.5"),
        ({"most": 10}, "most must be at most 9, got 10"),
    ],
)
def test_an_upper_limit_is_part_of_the_rule(given, message):
    with pytest.raises(ConfigError) as error:
        Shape(**given)
    assert str(error.value) == message


def test_the_limits_themselves_are_valid():
    assert Shape(power=-5, share=1, most=9) == Shape(power=-5.0, share=1.0, most=9)


@pytest.mark.parametrize("number", [np.int64, np.int8, jnp.int32])
def test_numbers_of_numpy_and_jax_are_numbers(number):
    options = Shape(hidden=number(3), power=number(2))
    assert options == Shape(hidden=3, power=2.0)
    assert (type(options.hidden), type(options.power)) == (int, float)
    with pytest.raises(ConfigError, match=r"hidden must be of type int, got 2\.0"):
        Shape(hidden=np.float64(2))
    with pytest.raises(ConfigError, match="hidden must be of type int"):
        Shape(hidden=number([3]))


def test_an_option_declared_again_keeps_what_is_not_changed():
    assert (Wide().hidden, Wide().power) == (99, 1.0)
    with pytest.raises(ConfigError, match="hidden must be at least 1, got 0"):
        Wide(hidden=0)
    fields = Wide.__dataclass_fields__
    assert (fields["hidden"].metadata["help"], fields["power"].metadata["help"]) == (
        "units",
        "of two",
    )
    assert (fields["hidden"].metadata["flag"], fields["power"].metadata["flag"]) == ("", "exponent")


def test_a_function_gets_its_keyword_arguments_under_its_names():
    def create(name, *, hidden_size=1, share=0.5, other=3):
        pass

    assert Shape(hidden=5).arguments(create) == {"hidden_size": 5, "share": 1.0}


def test_options_that_are_handed_on_are_followed():
    def outer(*, power, **rest):
        pass

    def inner(*, hidden_size):
        pass

    class Base:
        def __init__(self, *, share, name):
            pass

    class Derived(Base):
        def __init__(self, *, hidden_size, **rest):
            super().__init__(**rest)

    options = Shape()
    assert options.arguments(outer, inner) == {"hidden_size": 8, "power": 1.0}
    assert options.arguments(Derived) == {"hidden_size": 8, "share": 1.0, "name": "a"}
    with pytest.raises(AssertionError, match="name what takes the options"):
        options.arguments(outer)
