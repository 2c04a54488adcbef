"""Hold out a part of data that has none, and find inputs that both parts have."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from .draws import raw_draws
from .words import one_spaced


def content_key(row: Any) -> Hashable:
    """Return a key that identical inputs share: of a text everything but the amount of white space,
    of words or an array everything.
    """
    if isinstance(row, str):
        return one_spaced(row)
    if isinstance(row, np.ndarray):
        described = f"{row.dtype} {row.shape}".encode()
        return blake2b(described + row.tobytes(), digest_size=16).digest()
    return tuple(row)


def held_out(
    labels: Sequence[Any],
    fraction: float,
    seed: int,
    *,
    inputs: Sequence[Hashable] | None = None,
    option: str = "val",
) -> tuple[list[int], list[int]]:
    """Return the numbers of the sequences to train on and of those held out: `fraction` of every
    label (rounded, but with at least one on each side if a label has two); of all sequences if
    labels are lists, but nothing with a label that training would then lack.

    Sequences of equal `inputs` stay on one side; the shares come as close to `fraction` as that
    allows. Without `inputs` all sequences count as different. `option` names the held-out part in
    errors.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"val_fraction must be above 0 and below 1, got {fraction}")
    groups = _drawn_groups(range(len(labels)) if inputs is None else inputs, seed)
    val = _chosen(groups, labels, fraction)
    if not val:
        different = "" if len(groups) == len(labels) else f" ({len(groups)} different)"
        raise DataError(
            f"nothing of {len(labels)}{different} can be held out: training needs all of it",
            "give more",
            {option: "name a separate held-out part ({})"},
        )
    return [i for i in range(len(labels)) if i not in val], sorted(val)


def repeats_note(inputs: Sequence[Hashable], what: str) -> list[str]:
    """Return a note on inputs that occur several times, if there are any."""
    repeats = len(inputs) - len(set(inputs))
    if not repeats:
        return []
    return [
        f"{repeats:,} of {len(inputs):,} {what} have the same input as an earlier one: they are "
        "trained on or held out together"
    ]


def overlap_note(train: Iterable[Hashable], other: Iterable[Hashable], what: str) -> list[str]:
    """Return a note on how many of the other inputs are in the training part too, if there are any:
    as the model reads them, so that all unknown words are equal.
    """
    other = list(other)
    shared = set(other).intersection(train)
    count = sum(key in shared for key in other)
    if not count:
        return []
    return [
        f"{count:,} of {len(other):,} {what} are in the training part too, as the model reads them"
    ]


def _tags(labels: Any) -> Sequence[str]:
    return [labels] if isinstance(labels, str) else labels


def _drawn_groups(inputs: Sequence[Hashable], seed: int) -> list[list[int]]:
    """Group the numbers of equal inputs, in a random order."""
    number: dict[Hashable, int] = {}
    group = [number.setdefault(key, len(number)) for key in inputs]
    _, first = np.unique(group, return_index=True)
    draw = raw_draws(seed)(len(inputs))
    order = np.argsort(draw[first][group], kind="stable").tolist()
    return [list(rows) for _, rows in groupby(order, key=group.__getitem__)]


def _chosen(groups: list[list[int]], labels: Sequence[Any], fraction: float) -> set[int]:
    """Choose the numbers to hold out: groups that fit, in order, then small ones that help."""
    strata = [label if isinstance(label, str) else "" for label in labels]
    quota = {
        key: min(max(round(fraction * count), 1), count - 1)
        for key, count in Counter(strata).items()
    }
    wanted = Counter(quota)
    left = Counter(tag for tags in labels for tag in set(_tags(tags)))
    val: set[int] = set()
    for suits in (_fits, _is_closer):
        rest = []
        for group in groups:
            counts = _counts([strata[i] for i in group])
            if suits(counts, wanted, quota):
                tags = _counts([tag for i in group for tag in set(_tags(labels[i]))])
                if all(left[tag] > count for tag, count in tags.items()):
                    wanted.subtract(counts)
                    left.subtract(tags)
                    val.update(group)
                    continue
            rest.append(group)
        if all(count <= 0 for count in wanted.values()):
            break
        groups = sorted(rest, key=len)
    return val


Counts = Mapping[str, int]


def _counts(names: Sequence[str]) -> Counts:
    return {names[0]: 1} if len(names) == 1 else Counter(names)


def _fits(counts: Counts, wanted: Counts, quota: Counts) -> bool:
    """Say whether no label has more held out than wanted."""
    return all(wanted[key] >= count for key, count in counts.items())


def _is_closer(counts: Counts, wanted: Counts, quota: Counts) -> bool:
    """Say whether holding out more brings the shares of the labels closer to what is wanted, or
    gives a label its first held-out sequence.
    """
    if any(wanted[key] == quota[key] for key in counts):
        return True
    change = (
        (abs(wanted[key] - count) - abs(wanted[key])) / max(quota[key], 1)
        for key, count in counts.items()
    )
    return sum(change) < 0
