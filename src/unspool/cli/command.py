"""A command whose errors name its own flags only."""

from collections.abc import Mapping
from typing import Any

import jax
from typer.core import TyperCommand

from ..errors import UnspoolError
from ..options import ARGUMENTS, is_choice

NAMES = {argument: flag for flag, argument in ARGUMENTS.items()}
MEMORY = ("hidden", "layers", "batch", "steps_per_chunk", "steps", "count", "num_beams",
          "max_chars", "max_new_tokens")  # fmt: skip


class Command(TyperCommand):
    """A command whose errors name only its own options."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; make user errors and lack of memory one-line messages."""
        try:
            return super().invoke(ctx)
        except UnspoolError as error:
            raise UnspoolError(error.message(self.spell)) from error
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
                raise UnspoolError(self._no_memory()) from error
            raise

    def spell(self, option: str) -> str | None:
        """Spell `tokens=byte` as `--tokens byte`; None if there is no such option or value."""
        name, _, value = option.partition("=")
        for parameter in self.params:
            if parameter.name == NAMES.get(name, name) and parameter.opts[0].startswith("-"):
                flag = max(parameter.opts, key=len)
                if not value:
                    return flag
                rules = self._rules(parameter)
                taken = not rules.get("choices") or is_choice(value, rules)
                return f"{flag} {value}" if taken else None
        return None

    def _rules(self, parameter: Any) -> Mapping[str, Any]:
        options = getattr(self.callback, "options", None)
        if options is None or parameter.name not in options.__dataclass_fields__:
            return {}
        return options.__dataclass_fields__[parameter.name].metadata

    def _no_memory(self) -> str:
        flags = [flag for flag in map(self.spell, MEMORY) if flag is not None]
        return f"not enough memory: lower {either(flags)}" if flags else "not enough memory"


def either(words: list[str]) -> str:
    """`a, b or c`."""
    return " or ".join(", ".join(words).rsplit(", ", 1))
