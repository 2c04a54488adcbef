"""Metrics against values computed by hand."""

import numpy as np
import pytest

from unspool.tasks.label import metrics


def test_confusion_accuracy_and_macro_f1():
    targets, found = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 0, 1, 1, 0, 1])
    confusion = metrics.confusion_matrix(targets, found, 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert metrics.accuracy(confusion) == 3 / 6
    # class 0: 2*2/(3+3); class 1: 2*1/(3+2); class 2 does not occur; class 3: 0
    assert metrics.macro_f1(confusion) == pytest.approx((4 / 6 + 2 / 5 + 0) / 3)


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O B-P I-P O B-L", [(1, 3, "P"), (4, 5, "L")]),
        ("B-P B-P I-P", [(0, 1, "P"), (1, 3, "P")]),
        ("I-P I-P I-L", [(0, 2, "P"), (2, 3, "L")]),
        ("B-P I-L", [(0, 1, "P"), (1, 2, "L")]),
        ("O O", []),
    ],
)
def test_spans(tags, spans):
    assert list(metrics.spans(tags.split())) == spans


def test_span_f1():
    wanted = [["B-P", "I-P", "O", "B-L"], ["B-P"]]
    found = [["B-P", "I-P", "O", "B-P"], ["O"]]
    # 3 spans, 2 found, 1 of them right
    assert metrics.span_f1(wanted, found) == pytest.approx(2 / 5)
    assert metrics.span_f1([["O"]], [["O"]]) == 1.0


def test_bio_schemes_are_recognised():
    assert metrics.is_bio(["B-P", "I-P", "O"])
    assert not metrics.is_bio(["NOUN", "O"])
    assert not metrics.is_bio(["O"])
    assert not metrics.is_bio(["B-P", "X"])
