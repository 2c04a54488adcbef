"""Images classified in a few glimpses."""
