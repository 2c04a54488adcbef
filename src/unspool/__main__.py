"""Run the command line as `python -m unspool`."""

from .cli.main import main

main()
