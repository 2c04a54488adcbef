"""Models, which return logits and the new state: no loss, no sampling."""
