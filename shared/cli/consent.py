"""Asking before something that cannot be undone."""

import sys

from shared.cli.output import say
from shared.cli.problems import Problem, usage


def ask_consent(what: str, word: str, *, instead: str = "say --yes") -> None:
    """Go on only when a person has typed the word; where there is none to ask, say what to do."""
    if not sys.stdin.isatty():
        raise usage(f"There is no terminal to ask at: {instead}.")
    say(f"{what} Type {word} to go on:")
    if sys.stdin.readline().strip() != word:
        raise Problem("Nothing was changed.")
