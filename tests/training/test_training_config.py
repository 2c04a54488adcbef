"""Every rule of every option, merging, and the learning rate."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.errors import ConfigError
from unspool.tasks.text.recipe import TextOptions
from unspool.training import TrainingConfig
from unspool.training.config import DEFAULT_MAX_STEPS

FIELDS = {field.name: field for field in dataclasses.fields(TextOptions)}
LIMITS = ("at_least", "above", "below")


def kinds_of(field):
    return getattr(field.type, "__args__", (field.type,))


def numbers(kinds, **bounds):
    if int in kinds:
        return st.integers(bounds.get("min_value"), bounds.get("max_value"))
    return st.floats(**bounds, allow_nan=False, allow_infinity=False)


def invalid_values(field):
    """Values of a wrong type and values that break a rule of the field."""
    kinds, rules = kinds_of(field), field.metadata
    wrong = [st.lists(st.integers()), st.binary(), st.complex_numbers()]
    wrong += [] if str in kinds else [st.text()]
    wrong += [] if bool in kinds else [st.booleans()]
    wrong += [] if float in kinds else [st.floats()]
    wrong += [] if {int, float} & set(kinds) else [st.integers()]
    wrong += [] if type(None) in kinds else [st.none()]
    if float in kinds:
        wrong.append(st.sampled_from([math.nan, math.inf, -math.inf]))
    if rules["choices"]:
        wrong.append(st.text().filter(lambda value: value not in rules["choices"]))
    if rules["at_least"] is not None:
        wrong.append(numbers(kinds, max_value=rules["at_least"] - 1))
    if rules["above"] is not None:
        wrong.append(numbers(kinds, max_value=rules["above"]))
    if rules["below"] is not None:
        wrong.append(numbers(kinds, min_value=rules["below"]))
    return st.one_of(wrong)


@pytest.mark.parametrize("name", FIELDS)
@given(data=st.data())
def test_an_invalid_value_is_refused_by_name(name, data):
    value = data.draw(invalid_values(FIELDS[name]))
    with pytest.raises(ConfigError, match=f"^{name} must be "):
        TextOptions(**{name: value})


@pytest.mark.parametrize("name", FIELDS)
def test_the_edges_of_a_rule_are_valid(name):
    field = FIELDS[name]
    rules, kinds = field.metadata, kinds_of(field)
    valid = [field.default, *rules["choices"]]
    if rules["at_least"] is not None:
        valid.append(rules["at_least"])
    if rules["below"] is not None:
        below = rules["below"]
        valid.append(below - 1 if int in kinds else math.nextafter(below, -math.inf))
    if rules["above"] is not None:
        valid.append(math.nextafter(rules["above"], math.inf))
    for value in valid:
        assert getattr(TextOptions(**{name: value}), name) == value


def test_the_message_says_rule_and_value():
    with pytest.raises(ConfigError, match=r"^hidden must be at least 1, got 0$"):
        TextOptions(hidden=0)
    known = "rnn, gru, lstm or package.module:Class"
    with pytest.raises(ConfigError, match=rf"^cell must be one of {known}, got 'lsmt'$"):
        TextOptions(cell="lsmt")
    with pytest.raises(ConfigError, match=r"^seed must be below 4294967296, got 4294967296$"):
        TextOptions(seed=2**32)


def test_an_integer_is_a_float_where_one_is_wanted():
    value = TrainingConfig(clip_norm=2).clip_norm
    assert value == 2.0
    assert type(value) is float


def test_later_layers_win():
    options = TrainingConfig.merge({"seed": 1, "max_steps": 5}, {"seed": 2}, {})
    assert (options.seed, options.max_steps) == (2, 5)


def test_an_unknown_key_gets_a_suggestion():
    with pytest.raises(ConfigError, match="unknown option 'max_step': did you mean 'max_steps'"):
        TrainingConfig.merge({"max_step": 5})
    with pytest.raises(ConfigError, match=r"unknown option 'zzz'$"):
        TrainingConfig.merge({"zzz": 5})


def test_warm_up_is_linear():
    config = TrainingConfig(learning_rate=0.8, warmup_steps=4, schedule="constant")
    assert [config.rate(step, 0.0) for step in range(6)] == pytest.approx(
        [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]
    )
    assert TrainingConfig(learning_rate=0.8, warmup_steps=0, schedule="constant").rate(0, 0) == 0.8


@pytest.mark.parametrize(
    ("share", "factor"),
    [(0.0, 1.0), (0.25, 0.5 + math.sqrt(0.125)), (0.5, 0.5), (1.0, 0.0), (2.0, 0.0)],
)
@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_over_steps_or_minutes(share, factor, final):
    expected = pytest.approx(0.3 * (final + (1 - final) * factor))
    given = {"learning_rate": 0.3, "warmup_steps": 0, "final_rate": final}
    by_steps = TrainingConfig(max_steps=400, **given)
    by_time = TrainingConfig(max_minutes=2, **given)
    by_both = TrainingConfig(max_steps=400, max_minutes=2, **given)
    assert by_steps.rate(int(400 * share), 1e9) == expected
    assert by_time.rate(12345, 120 * share) == expected
    assert by_both.rate(int(400 * share), 0.0) == expected


@pytest.mark.parametrize("max_steps", [1, 3, 50, 150, 5000])
def test_every_run_sees_the_peak_and_falls_from_there(max_steps):
    """Of 150 steps with 100 of warm-up, a cosine over all of them left 0.40 of the peak."""
    config = TrainingConfig(learning_rate=0.5, max_steps=max_steps, warmup_steps=100)
    rates = [config.rate(step, 0.0) for step in range(max_steps)]
    warmup = min(100, max_steps // 5)
    assert max(rates) == rates[warmup] == 0.5
    assert rates[:warmup] == pytest.approx([0.5 * (i + 1) / warmup for i in range(warmup)])
    after = [0.5 * (1 + math.cos(math.pi * i / (max_steps - warmup))) / 2
             for i in range(max_steps - warmup)]  # fmt: skip
    assert rates[warmup:] == pytest.approx(after)


def test_the_cosine_of_a_run_in_minutes_begins_after_warm_up():
    config = TrainingConfig(learning_rate=0.5, max_minutes=1, warmup_steps=100)
    rates = [config.rate(step, 0.1 * step) for step in range(600)]  # ten steps a second
    assert rates[99] == rates[100] == 0.5
    assert rates[350] == pytest.approx(0.25)  # half-way from step 100 to the end, step 600
    assert rates[599] == pytest.approx(0, abs=1e-4)
    assert rates[0] == 0.005  # how many steps there will be is not known yet


def test_limits():
    assert not TrainingConfig(max_steps=5).is_over(4, 1e9)
    assert TrainingConfig(max_steps=5).is_over(5, 0.0)
    assert not TrainingConfig(max_minutes=1).is_over(10**9, 59.9)
    assert TrainingConfig(max_minutes=1).is_over(0, 60.0)
    both = TrainingConfig(max_minutes=1, max_steps=5)
    assert [both.is_over(4, 59.0), both.is_over(5, 0.0), both.is_over(0, 60.0)] == [0, 1, 1]
    assert not TrainingConfig().is_over(DEFAULT_MAX_STEPS - 1, 1e9)
    assert TrainingConfig().is_over(DEFAULT_MAX_STEPS, 0.0)
