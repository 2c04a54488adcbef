"""Classify images in a few glimpses."""
