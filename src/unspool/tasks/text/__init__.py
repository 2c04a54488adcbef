"""Texts: language models."""
