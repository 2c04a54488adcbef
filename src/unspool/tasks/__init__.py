"""One folder per task: what it trains for, how it is started, and its runs."""
