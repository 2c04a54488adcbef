"""Scores against their definitions, ties included; chance; and units that are known to be right."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from unspool.errors import ConfigError, DataError
from unspool.inspection import Annotation, Spans, Trace, best_units, score_units
from unspool.inspection.units import _shifts, centred_ranks


def traced(layers, length):
    """A trace as `score_units` sees it, of given states, one character a token."""
    trace = object.__new__(Trace)
    trace.text, trace.last = "x" * length, np.arange(length)
    trace.tokens = trace.last
    trace.layers = layers
    return trace


def auc(values, held):
    """By definition: all pairs of a place where it holds and one where it does not."""
    on, off = values[held][:, None], values[~held][None]
    return np.mean((on > off) + 0.5 * (on == off))


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_scores_are_auc_and_spearman_with_ties(levels):
    draw = np.random.default_rng(levels)
    states = draw.integers(-levels, levels, (400, 9)).astype(np.float32) / levels
    states[::7] = -0.0  # equal to 0.0
    held, number = draw.random(400) < 0.3, draw.integers(0, 6, 400).astype(np.float32)
    notes = {
        "held": Annotation("held", held, ""),
        "number": Annotation("number", number, ""),
        "never": Annotation("never", np.zeros(400, bool), ""),
    }
    scores = score_units(
        traced([{"h": states[:, :4]}, {"h": states[:, 4:], "c": states[:, 4:]}], 400), notes
    )
    assert len(scores) == 2 * 9  # without the constant one
    assert [s.strength for s in scores] == sorted((s.strength for s in scores), reverse=True)
    for one in scores:
        unit = states[:, 4 * one.layer + one.unit]
        if one.annotation == "held":
            expected = auc(unit, held)
            assert one.auc == pytest.approx(max(expected, 1 - expected), abs=1e-12)
            assert one.direction == (1 if expected >= 0.5 else -1)
            assert one.correlation is None
        else:
            assert one.correlation == pytest.approx(spearmanr(unit, number)[0], abs=1e-12)
            assert one.auc is None


def test_ranks_are_those_of_scipy():
    draw = np.random.default_rng(0)
    for values in (
        draw.normal(size=1000).astype(np.float32),
        draw.integers(-3, 4, 1000).astype(np.float32) * np.float32(1e-40),  # denormal
        np.array([np.float32(0.0), np.float32(-0.0), -1, 1], np.float32),
        np.ones(5, np.float32),
    ):
        np.testing.assert_array_equal(
            centred_ranks(values), rankdata(values) - (len(values) + 1) / 2
        )


def test_the_control_shows_what_chance_gives_the_best_of_many_units():
    draw = np.random.default_rng(3)
    steps = 4000
    slow = np.cumsum(draw.normal(size=(steps, 60)), axis=0).astype(np.float32)  # random walks
    runs = np.repeat(draw.random(steps // 200) < 0.5, 200)
    best = score_units(traced([{"h": slow}], steps), {"runs": Annotation("runs", runs, "")})[0]
    assert best.control > 0.6
    assert abs(best.auc - best.control) < 0.2
    shuffled = {"runs": Annotation("runs", draw.permutation(runs), "")}
    assert score_units(traced([{"h": slow}], steps), shuffled)[0].auc < 0.54  # flatters the units
    planted = slow.copy()
    planted[:, 17] = draw.normal(size=steps) - 4 * runs
    best = score_units(traced([{"h": planted}], steps), {"runs": Annotation("runs", runs, "")})[0]
    assert (best.unit, best.direction) == (17, -1)
    assert best.auc > 0.98 > best.control
    assert best.p == 1 / 20


def noise(seed):
    """Twenty slow units and an annotation in runs of 10 that have nothing to do with each other."""
    draw = np.random.default_rng(seed)
    states = draw.normal(size=(400, 20)).astype(np.float32)
    for distance in (1, 2, 4, 8):
        states += 0.9**distance * np.roll(states, distance, axis=0)
    held = np.roll(np.repeat(draw.random(40) < 0.3, 10), draw.integers(400))
    return states, held


def best_of(states, held, **options):
    note = {"held": Annotation("held", held, "")}
    return score_units(traced([{"h": states}], len(held)), note, **options)[0]


def test_chance_finds_a_unit_once_in_twenty():
    found = [best_of(*noise(seed), seed=seed) for seed in range(300)]
    above = [one.auc > one.control for one in found]
    assert np.mean(above) == pytest.approx(1 / 20, abs=0.03)  # of 300: 2.4 standard deviations
    assert above == [one.p <= 1 / 20 for one in found]
    states, held = noise(0)
    states[:, 7] -= 8 * held
    best = best_of(states, held)
    assert (best.unit, best.p) == (7, 1 / 20)
    assert best_of(states, held, shifts=99).p == 1 / 100


@pytest.mark.parametrize("shifts", [3, 30])
def test_control_and_p_are_those_of_the_shifted_annotation(shifts):
    draw = np.random.default_rng(5)
    states = draw.integers(-9, 9, (3000, 40)).astype(np.float32)  # more than a group; with ties
    held, number = draw.random(3000) < 0.4, draw.integers(0, 9, 3000).astype(np.float32)
    notes = {"held": Annotation("held", held, ""), "number": Annotation("number", number, "")}
    scores = score_units(traced([{"h": states}], 3000), notes, shifts=shifts, seed=2)
    for name, values in (("held", held), ("number", number)):
        reached = []
        for distance in _shifts(3000, shifts, seed=2):
            note = {"moved": Annotation("moved", np.roll(values, distance), "")}
            (best, *_) = score_units(traced([{"h": states}], 3000), note, shifts=1)
            reached.append(best.strength)
        own = [one for one in scores if one.annotation == name]
        control = 2 * own[0].control - 1 if name == "held" else own[0].control
        assert control == pytest.approx(max(reached), abs=1e-6)
        for one in own:
            assert one.p == (1 + sum(np.array(reached) >= one.strength)) / (1 + shifts)


@pytest.mark.parametrize("steps", [2, 3, 4, 39, 40, 41, 1000])
def test_shifts_are_distinct_and_spread(steps):
    for seed in range(20):
        shifts = _shifts(steps, 19, seed)
        assert len(shifts) == min(19, max(1, steps // 2 - 1))
        assert len(set(shifts.tolist())) == len(shifts)
        ends = np.concatenate(([0], shifts, [steps]))
        assert np.diff(ends).min() >= max(1, int(0.5 * steps / (len(shifts) + 1)))


def test_a_text_that_repeats_itself_gives_no_evidence():
    """Shifted by whole repetitions the annotation is the same again: p is not small."""
    held = np.tile(np.arange(10) < 3, 200)
    best = best_of(held[:, None].astype(np.float32), held)
    assert best.auc == best.control == 1.0
    assert best.p > 1 / 20


def test_a_token_has_the_annotation_of_its_last_character():
    trace = traced([{"h": np.array([[0.0], [1.0], [0.5]], np.float32)}], 6)
    trace.last, trace.tokens = np.array([1, 3, 5]), np.zeros(3)
    notes = {"a": Annotation("a", np.array([1, 0, 0, 1, 1, 0], bool), "")}
    assert score_units(trace, notes)[0].auc == 1.0


def test_wrong_input_is_named():
    trace = traced([{"h": np.zeros((4, 1), np.float32)}], 4)
    held = {"a": Annotation("a", np.array([1, 0, 0, 1], bool), "")}
    assert score_units(trace, held)[0].auc == 0.5  # a unit that never moves
    with pytest.raises(ConfigError, match="quantity must be one of h"):
        score_units(trace, held, quantity="c")
    with pytest.raises(DataError, match="4 characters, got 2"):
        score_units(trace, {"a": Annotation("a", np.array([True, False]), "")})
    broken = traced([{"h": np.full((4, 1), np.nan, np.float32)}], 4)
    with pytest.raises(DataError, match="not a finite number"):
        score_units(broken, held)
    assert best_units(score_units(trace, held))["a"][0].unit == 0
    assert Spans("a", np.zeros(1), np.zeros(1), np.zeros(1)).text == "a"
