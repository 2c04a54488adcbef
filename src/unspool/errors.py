"""Every error that Unspool raises on purpose.

UnspoolError
├── ConfigError         an argument, option or configuration key breaks a rule
├── DataError           a text or file cannot be used as it is
│   └── UnknownTokenError   a text has characters that the vocabulary lacks
├── RunError            a run directory is missing, damaged, in use or of another version
└── DivergedError       training had too many non-finite losses in a row

A message names the argument, the rule, the value and the remedy:
"hidden_size must be at least 1, got 0". The command line prints it on one line
and exits with code 2.
"""

import re
from collections.abc import Callable, Mapping

# An argument's name: the first word before its rule, or a word with an underscore that is neither
# part of a path nor quoted.
_ARGUMENT = re.compile(
    r"^[a-z]\w*(?=,| (?:must|needs|applies|cannot|and)\b)"
    r"|(?<![\w'\"./-])[a-z]+(?:_[a-z]+)+(?![\w'\"./:-])"
)


class UnspoolError(Exception):
    """Base of all errors raised on purpose.

    `fact` says what is wrong and `remedy` what always helps. `options` maps an argument that may
    help ("min_count", "tokens=byte") to a remedy with `{}` in place of its spelling:

        DataError("a.txt is not UTF-8", "convert it", {"tokens=byte": "use byte tokens ({})"})

    reads "a.txt is not UTF-8: convert it or use byte tokens (tokens='byte')". A command names
    only the arguments that it has, as flags.
    """

    def __init__(
        self, fact: str = "", remedy: str = "", options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(fact)
        self.fact, self.remedy, self.options = fact, remedy, dict(options or {})

    def __str__(self) -> str:
        return self.message(_in_python)

    def message(self, spell: Callable[[str], str | None]) -> str:
        """Return the message, with arguments as `spell` writes them; for None, drop the remedy."""
        fact = self._fact(spell)
        spelled = ((text, spell(option)) for option, text in self.options.items())
        remedies = [self.remedy] if self.remedy else []
        remedies += [text.format(name) for text, name in spelled if name is not None]
        return f"{fact}: {' or '.join(remedies)}" if remedies else fact

    def _fact(self, spell: Callable[[str], str | None]) -> str:
        return self.fact


class ConfigError(UnspoolError, ValueError):
    """An argument, option or configuration key breaks a rule.

    The fact begins with the argument's name, which `message` writes as `spell` does:
    "hidden_size must be at least 1" is "--hidden must be at least 1" from a command.
    """

    def _fact(self, spell: Callable[[str], str | None]) -> str:
        return _ARGUMENT.sub(lambda found: spell(found[0]) or found[0], self.fact)


class DataError(UnspoolError, ValueError):
    """A text or file cannot be used as it is."""


class UnknownTokenError(DataError):
    """A text has characters that the vocabulary lacks."""


class RunError(UnspoolError):
    """A run directory is missing, damaged, in use or of another version."""


class DivergedError(UnspoolError):
    """Training had too many non-finite losses in a row."""


def _in_python(option: str) -> str:
    name, _, value = option.partition("=")
    return f"{name}={value!r}" if value else name
