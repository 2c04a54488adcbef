"""Texts grown from a label."""
