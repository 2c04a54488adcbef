"""Sentences into sentences of another language."""
