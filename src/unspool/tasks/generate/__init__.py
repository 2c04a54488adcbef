"""Generate texts from a label."""
