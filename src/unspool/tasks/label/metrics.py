"""Metrics of labels: accuracy, F1 of classes and of spans."""

from collections.abc import Iterator, Sequence

import numpy as np

Span = tuple[int, int, str]  # first step, step after the last, type


def confusion_matrix(targets: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Return counts[i, j]: how many of class i were labelled j."""
    return np.bincount(targets * classes + found, minlength=classes**2).reshape(classes, classes)


def accuracy(confusion: np.ndarray) -> float:
    """Return the share of correct labels."""
    return float(np.trace(confusion) / confusion.sum())


def macro_f1(confusion: np.ndarray) -> float:
    """Return the mean of 2 TP / (2 TP + FP + FN) over classes that occur or were predicted."""
    either = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = either > 0
    return float(np.mean(2 * np.diag(confusion)[occurs] / either[occurs]))


def is_bio(labels: Sequence[str]) -> bool:
    """Say whether tags follow a BIO scheme: O, and B-TYPE or I-TYPE."""
    marked = [label for label in labels if label[:2] in ("B-", "I-")]
    return bool(marked) and len(marked) == len([label for label in labels if label != "O"])


def spans(tags: Sequence[str]) -> Iterator[Span]:
    """Yield the spans of a BIO sequence. An I-TYPE that continues nothing begins a span, as in
    CoNLL.
    """
    begin, kind = 0, None
    for i, tag in enumerate((*tags, "O")):
        goes_on = tag.startswith("I-") and tag[2:] == kind
        if kind is not None and not goes_on:
            yield begin, i, kind
            kind = None
        if tag != "O" and not goes_on:
            begin, kind = i, tag[2:]


def span_f1(targets: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> float:
    """Return 2 hits / (spans + spans found), a hit having the same ends and type; 1 for no
    spans.
    """
    hits = total = 0
    for wanted, got in zip(targets, found, strict=True):
        wanted_spans, got_spans = set(spans(wanted)), set(spans(got))
        hits += len(wanted_spans & got_spans)
        total += len(wanted_spans) + len(got_spans)
    return 2 * hits / total if total else 1.0
