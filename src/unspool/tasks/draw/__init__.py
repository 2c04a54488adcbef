"""Images drawn one piece at a time (DRAW)."""
