"""Weights of classes, for data in which some classes are rare."""

import numpy as np

from ...errors import ConfigError

CLASS_WEIGHTS = ("none", "balanced")


def class_weights(kind: str, targets: np.ndarray, classes: int) -> np.ndarray:
    """Return a weight for each class, (C,): 1, or with "balanced" N / (C n_c), where n_c of N
    targets are of class c, as in scikit-learn: all classes have the same total weight (King and
    Zeng 2001).

    Raises ConfigError if `kind` is neither.
    """
    if kind not in CLASS_WEIGHTS:
        raise ConfigError(f"class_weights must be one of {', '.join(CLASS_WEIGHTS)}, got {kind!r}")
    if kind == "none":
        return np.ones(classes, np.float32)
    counts = np.maximum(np.bincount(targets, minlength=classes), 1)
    return (len(targets) / (classes * counts)).astype(np.float32)
