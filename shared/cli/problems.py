"""What keeps a command from being done, told in a sentence, with the code that it ends with."""

from collections.abc import Generator
from contextlib import contextmanager

import typer
from keyturn_client.problems import (
    KeyturnError,
    NoOutcomeYetError,
    NotAllowedError,
    NotFoundError,
    RejectedError,
)
from pydantic import ValidationError

from shared.cli.exit_codes import ExitCode
from shared.cli.output import say


class Problem(Exception):  # noqa: N818  not a fault of the program: something to tell
    """Something that a person can do something about; the text is all that is said."""

    def __init__(self, sentence: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def usage(sentence: str) -> Problem:
    return Problem(sentence, ExitCode.USAGE)


@contextmanager
def told() -> Generator[None]:
    """Tell what is expected to go wrong in a sentence; what is not keeps its traceback."""
    try:
        yield
    except Problem as problem:
        say(str(problem))
        raise typer.Exit(problem.code) from None
    except KeyturnError as error:
        say(str(error))
        raise typer.Exit(_code_of(error)) from None
    except PermissionError as error:
        say(f"{error.filename} is not for you to read: run this as the one who started the stack.")
        raise typer.Exit(ExitCode.NOT_ALLOWED) from None


@contextmanager
def as_usage() -> Generator[None]:
    """Tell what a message may not contain as a wrong use of the command that makes it."""
    try:
        yield
    except ValidationError as error:
        found = (
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)
        )
        raise usage(f"That cannot be sent. {'; '.join(found)}.") from None


def _code_of(error: KeyturnError) -> ExitCode:
    if isinstance(error, NotFoundError):
        return ExitCode.NOT_FOUND
    if isinstance(error, NotAllowedError):
        return ExitCode.NOT_ALLOWED
    if isinstance(error, NoOutcomeYetError):
        return ExitCode.TIMED_OUT
    if isinstance(error, RejectedError):
        return ExitCode.USAGE
    return ExitCode.FAILED
