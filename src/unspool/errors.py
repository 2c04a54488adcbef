"""Every error that Unspool raises on purpose.

UnspoolError
├── ConfigError         an argument, option or configuration key breaks a rule
├── DataError           a text or file cannot be used as it is
│   └── UnknownTokenError   a text has characters that the vocabulary lacks
├── RunError            a run directory is missing, damaged, in use or of another version
└── DivergedError       training met too many non-finite losses in a row

A message names the argument, the rule, the value and the remedy:
"hidden_size must be at least 1, got 0". The command line prints it on one line
and exits with code 2.
"""


class UnspoolError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(UnspoolError, ValueError):
    """An argument, option or configuration key breaks a rule."""


class DataError(UnspoolError, ValueError):
    """A text or file cannot be used as it is."""


class UnknownTokenError(DataError):
    """A text has characters that the vocabulary lacks."""


class RunError(UnspoolError):
    """A run directory is missing, damaged, in use or of another version."""


class DivergedError(UnspoolError):
    """Training met too many non-finite losses in a row."""
