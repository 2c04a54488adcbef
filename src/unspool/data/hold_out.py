"""What is held out of data that has no held-out part; inputs that both parts have."""

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
    """What is equal of identical inputs: of a text all but the amount of white space, of words
    or an array everything.
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
    """Numbers of the sequences to train on and of those held out: `fraction` of every label
    (rounded, but one stays on each side if a label has two); of all if labels are lists, but
    nothing with a label that training would lack.

    Sequences of equal `inputs` stay on one side; the shares are as near to `fraction` as they then
    can be made. Without `inputs` all differ. `option` names the held-out part in errors.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"val_fraction must be above 0 and below 1, got {fraction}")
    groups = _drawn_groups(range(len(labels)) if inputs is None else inputs, seed)
    val = _chosen(groups, labels, fraction)
    if not val:
        different = "" if len(groups) == len(labels) else f" ({len(groups)} different)"
        raise DataError(
            f"nothing of {len(labels)}{different} can be held out for validation: training needs "
            "all of it",
            "give more",
            {option: "name a held-out part of its own ({})"},
        )
    return [i for i in range(len(labels)) if i not in val], sorted(val)


def repeats_note(inputs: Sequence[Hashable], what: str) -> list[str]:
    """A note of inputs that occur several times, if there are any."""
    repeats = len(inputs) - len(set(inputs))
    if not repeats:
        return []
    return [
        f"{repeats:,} of {len(inputs):,} {what} have the same input as an earlier one: they are "
        "trained on or held out together"
    ]


def overlap_note(train: Iterable[Hashable], other: Iterable[Hashable], what: str) -> list[str]:
    """A note of how many of the other inputs are in the training part too, if there are any: as
    the model reads them, to which words that it does not know may be one.
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
    """The numbers of equal inputs, in an order that every group draws once."""
    number: dict[Hashable, int] = {}
    group = [number.setdefault(key, len(number)) for key in inputs]
    _, first = np.unique(group, return_index=True)
    draw = raw_draws(seed)(len(inputs))
    order = np.argsort(draw[first][group], kind="stable").tolist()
    return [list(rows) for _, rows in groupby(order, key=group.__getitem__)]


def _chosen(groups: list[list[int]], labels: Sequence[Any], fraction: float) -> set[int]:
    """The numbers to hold out: groups that fit in the order drawn, then small ones that help."""
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
    """Whether no more is held out of any label than is wanted."""
    return all(wanted[key] >= count for key, count in counts.items())


def _is_closer(counts: Counts, wanted: Counts, quota: Counts) -> bool:
    """Whether the shares of the labels come nearer to what is wanted by as many more, or one of
    them has nothing held out so far.
    """
    if any(wanted[key] == quota[key] for key in counts):
        return True
    change = (
        (abs(wanted[key] - count) - abs(wanted[key])) / max(quota[key], 1)
        for key, count in counts.items()
    )
    return sum(change) < 0
