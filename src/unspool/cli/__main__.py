"""Run the command line as `python -m unspool.cli`."""

from .main import main

main()
