"""The lecture's example, recomputed by hand."""

import numpy as np
import pytest

from unspool.tasks.text.hello import VOCABULARY, WORD, spell_hello


@pytest.fixture(scope="module")
def hello():
    return spell_hello()


def test_it_spells_hello(hello):
    assert hello.written == "hello"
    assert spell_hello(steps=1).written != "hello"


def test_the_losses_fall(hello):
    (first, start), (second, middle), (last, end) = hello.losses
    assert (first, second, last) == (0, 30, 300)
    assert start == pytest.approx(np.log(4), abs=0.5)
    assert start > middle > end
    assert end < 0.05


def test_the_numbers_are_those_of_the_recurrence(hello):
    cell = hello.model.stack.cells[0]
    w_xh, w_hh, w_hy = (np.asarray(w) for w in (cell.w_ih, cell.w_hh, hello.model.w_out))
    b_h, b_y = np.asarray(cell.bias), np.asarray(hello.model.b_out)
    h = np.zeros(3)
    for step, letter, target in zip(hello.steps, WORD, WORD[1:], strict=False):
        x = np.eye(4)[VOCABULARY.index(letter)]
        h = np.tanh(w_xh @ x + w_hh @ h + b_h)
        y = w_hy @ h + b_y
        p = np.exp(y) / np.exp(y).sum()
        assert (step.input, step.target) == (letter, target)
        assert np.array_equal(step.one_hot, x)
        for found, expected in ((step.hidden, h), (step.scores, y), (step.probabilities, p)):
            assert found == pytest.approx(expected, abs=1e-5)
        assert p[VOCABULARY.index(target)] > 0.9


def test_the_hidden_state_tells_the_two_ls_apart(hello):
    _, _, first, second = hello.steps
    assert first.input == second.input == "l"
    assert (first.target, second.target) == ("l", "o")
    assert np.abs(first.hidden - second.hidden).max() > 0.5
