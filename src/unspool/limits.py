"""How much of a file that somebody sent is read: every limit in one place.

`docs/limits.md` has them as a table, and a test compares the two.
"""
