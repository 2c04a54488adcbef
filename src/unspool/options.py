"""Options: declared once and checked once for Python, TOML and the command line."""

import dataclasses
import difflib
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from .errors import ConfigError

LARGEST = 3.4e38  # what 32 bits hold
# What users write, and the library's argument of another name that it stands for.
ARGUMENTS = {"hidden": "hidden_size", "layers": "num_layers", "embedding": "embedding_size",
             "condition": "condition_size", "latent": "latent_size", "read": "read_size",
             "write": "write_size"}  # fmt: skip


def option(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    choices: tuple[str, ...] = (),
    is_file: bool = False,
    flag: str = "",
) -> Any:
    """A dataclass field with its rule and its line of help; `is_file`: the name of a file; `flag`:
    its name on the command line, if that is not the field's.
    """
    rules = {"at_least": at_least, "above": above, "below": below, "at_most": at_most}
    words = {"help": help, "choices": choices, "is_file": is_file, "flag": flag}
    return dataclasses.field(default=default, metadata={**words, **rules})


def redeclared(options: type["Options"], name: str, **changes: Any) -> Any:
    """Declare an option of `options` again in a subclass, with another `default` or `help`."""
    field = options.__dataclass_fields__[name]
    return option(**{"default": field.default, **field.metadata, **changes})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all option sets: the constructor checks every field."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _checked(field, value))

    @classmethod
    def merge(cls, *layers: Mapping[str, Any]) -> Self:
        """Merge layers, later ones winning; refuse unknown keys and name the nearest known one."""
        merged: dict[str, Any] = {}
        for layer in layers:
            cls.check_keys(layer)
            merged.update(layer)
        return cls(**merged)

    @classmethod
    def check_keys(cls, given: Mapping[str, Any], where: str = "") -> None:
        """Raise ConfigError for keys that are not options."""
        known = [field.name for field in dataclasses.fields(cls)]
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f": did you mean {near[0]!r}?" if near else ""
                raise ConfigError(f"{where}unknown option {key!r}{hint}")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def arguments(self, *functions: Callable[..., Any]) -> dict[str, Any]:
        """Collect the options that are keyword-only arguments of `functions`, by their names there.

        A function that hands its `**options` on must be followed by the one that takes them:

            Classifier.create(classes, **options.arguments(Classifier.create, Reader.create))
        """
        signatures = [parameters for f in functions for parameters in _signatures(f)]
        assert not _hands_on(signatures[-1]), f"name what takes the options of {functions[-1]}"
        taken = {p.name for ps in signatures for p in ps if p.kind is p.KEYWORD_ONLY}
        named = {ARGUMENTS.get(name, name): value for name, value in vars(self).items()}
        return {name: value for name, value in named.items() if name in taken}


def _signatures(function: Callable[..., Any]) -> Iterator[list[inspect.Parameter]]:
    """The parameters of a function, or of a class's constructor and those that it hands on to."""
    steps = [function]
    if isinstance(function, type):
        steps = [vars(c)["__init__"] for c in function.__mro__ if "__init__" in vars(c)]
    for step in steps:
        parameters = list(inspect.signature(step).parameters.values())
        yield parameters
        if not _hands_on(parameters):
            return


def _hands_on(parameters: list[inspect.Parameter]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in parameters)


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    kinds = _kinds(field.type)
    if value is None and type(None) in kinds:
        return None
    if getattr(value, "ndim", None) == 0:  # a number of NumPy or JAX
        value = value.item()
    if float in kinds and type(value) is int:
        if abs(value) > LARGEST:  # which no 32-bit float can hold
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
    most, choices = rules.get("at_most"), rules.get("choices")
    if choices and value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    if most is not None and not _is_within(value, low, floor, most):
        above = "" if floor is None else f"above {floor} and "
        rule = f"{above}at most {most}" if low is None else f"from {low} to {most}"
        raise ConfigError(f"{name} must be {rule}, got {_plain(value)}")
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


def _is_within(value: float, low: float | None, floor: float | None, most: float) -> bool:
    above = (low is None or value >= low) and (floor is None or value > floor)
    return above and value <= most  # of nan nothing holds


def _plain(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
