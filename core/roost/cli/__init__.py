"""The command line: every verb, a small parser, plain tables and stable exit codes."""

from roost.cli.dispatch import main

__all__ = ["main"]
