"""`python -m unspool`."""

from .cli.main import main

main()
