"""From options to a trained run, one file a kind of model."""
