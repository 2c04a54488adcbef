"""One folder a task: what it trains for, how it is begun, and its runs."""
