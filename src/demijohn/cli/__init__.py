"""The command line: `demijohn run hello.py` and its siblings."""

from demijohn.cli.group import cli, main

__all__ = ["cli", "main"]
