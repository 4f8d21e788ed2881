"""What can keep the stack from running, each told in a sentence that says what to do."""


class StackProblem(Exception):  # noqa: N818  its text is what a person reads
    """Something a person has to know or do; the text is the whole message."""

    exit_code: int = 1


class NotFound(StackProblem):
    """There is no such thing."""

    exit_code: int = 3


class Conflict(StackProblem):
    """Somebody else holds what is needed."""

    exit_code: int = 4


class NotAllowed(StackProblem):
    """The machine or its settings forbid it."""

    exit_code: int = 5


class TimedOut(StackProblem):
    """It may still come, but not within the time given."""

    exit_code: int = 7
