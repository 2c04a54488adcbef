"""Options: declared once, checked once, the same words in Python, TOML and on the command line."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from .errors import ConfigError

LARGEST = 3.4e38  # what 32 bits hold


def option(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    is_file: bool = False,
) -> Any:
    """A dataclass field with its rule and its line of help; `is_file`: the name of a file."""
    rules = {"at_least": at_least, "above": above, "below": below, "choices": choices}
    return dataclasses.field(default=default, metadata={"help": help, "is_file": is_file, **rules})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all option sets: every field is checked when the object is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _checked(field, value))

    @classmethod
    def merge(cls, *layers: Mapping[str, Any]) -> Self:
        """Later layers win; unknown keys are refused with the nearest known one."""
        merged: dict[str, Any] = {}
        for layer in layers:
            cls.check_keys(layer)
            merged.update(layer)
        return cls(**merged)

    @classmethod
    def check_keys(cls, given: Mapping[str, Any], where: str = "") -> None:
        """Raise ConfigError for keys that are no options."""
        known = [field.name for field in dataclasses.fields(cls)]
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f": did you mean {near[0]!r}?" if near else ""
                raise ConfigError(f"{where}unknown option {key!r}{hint}")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    kinds = _kinds(field.type)
    if value is None and type(None) in kinds:
        return None
    if float in kinds and type(value) is int:
        if abs(value) > LARGEST:  # which no float may hold
            raise ConfigError(
                f"{field.name} must be at most {LARGEST:.2g}, got {Decimal(value):.2g}"
            )
        value = float(value)
    if type(value) not in kinds:
        wanted = " or ".join(k.__name__ for k in kinds if k is not type(None))
        raise ConfigError(f"{field.name} must be of type {wanted}, got {value!r}")
    _check_rules(field.name, value, field.metadata)
    return value


def _kinds(annotation: Any) -> tuple[type, ...]:
    if isinstance(annotation, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _check_rules(name: str, value: Any, rules: Mapping[str, Any]) -> None:
    low, floor, ceiling = rules.get("at_least"), rules.get("above"), rules.get("below")
    choices = rules.get("choices")
    if choices and value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} must be finite, got {value}")
    if isinstance(value, float) and abs(value) > LARGEST:
        raise ConfigError(f"{name} must be at most {LARGEST:.2g}, got {value}")
    if low is not None and value < low:
        raise ConfigError(f"{name} must be at least {low}, got {_plain(value)}")
    if floor is not None and value <= floor:
        raise ConfigError(f"{name} must be above {floor}, got {_plain(value)}")
    if ceiling is not None and value >= ceiling:
        raise ConfigError(f"{name} must be below {ceiling}, got {_plain(value)}")


def _plain(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
