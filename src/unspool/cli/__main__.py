"""`python -m unspool.cli`."""

from .main import main

main()
