"""Trained runs, loaded: one class for each kind of model."""
