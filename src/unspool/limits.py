"""How much of a file that somebody sent is read: every limit in one place.

`docs/limits.md` has them as a table, and a test compares the two.
"""

MAX_JSON_BYTES = 256 << 20  # a JSON file of a run: the largest is a vocabulary
MAX_TOML_BYTES = 1 << 20  # a file of options
