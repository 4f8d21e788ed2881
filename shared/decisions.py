"""What a rule may decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from keyturn_contracts.message import Event, Part, Verdict

S_co = TypeVar("S_co", covariant=True)
R_co = TypeVar("R_co", bound=str, covariant=True)


@dataclass(frozen=True, slots=True)
class Applied(Generic[S_co]):
    """Yes: this is the state now, and these events tell everyone (none: nothing announced changed).

    The machinery gives each event the next sequence of its aggregate. `verdicts` are of what was
    not applied of many things that the command named; all of them, the outcome shows the first.
    """

    state: S_co
    events: Sequence[Event] = ()
    verdicts: Sequence[Verdict] = ()
    details: Part | None = None


@dataclass(frozen=True, slots=True)
class Unchanged(Generic[S_co]):
    """Yes, and it was so already. `why` is a sentence for people.

    `state` is what must be kept all the same and nobody hears of, such as a number taken.
    `verdicts` as of `Applied`.
    """

    why: str
    state: S_co | None = None
    verdicts: Sequence[Verdict] = ()
    details: Part | None = None


@dataclass(frozen=True, slots=True)
class Refused(Generic[S_co, R_co]):
    """No. A refusal announces nothing; `state` is what it gives up or must keep all the same."""

    reason: R_co
    message: str
    state: S_co | None = None
    details: Part | None = None


@dataclass(frozen=True, slots=True)
class Later(Generic[S_co]):
    """Not yet: `state` has a job do the work, and the job's conclusion is the outcome."""

    state: S_co


@dataclass(frozen=True, slots=True)
class AppliedToMany:
    """Yes, of a command that is itself many; its statements have run already.

    `changed` says whether anything did. `verdicts` are of what was not applied, the first 100;
    `not_applied` counts all of them. `note` is for people, where nothing changed.
    """

    changed: bool
    events: Sequence[Event] = ()
    verdicts: Sequence[Verdict] = ()
    not_applied: int = 0
    note: str | None = None
    details: Part | None = None


Decision = Applied[S_co] | Unchanged[S_co] | Refused[S_co, R_co] | Later[S_co]


class NotYetKnown(Exception):  # noqa: N818  it is no error: the news is on its way
    """The command names something whose news has not come: hold it for a moment.

    `otherwise` is what it becomes when the news has not come within the limit.
    """

    def __init__(self, otherwise: "Refused[object, str]") -> None:
        super().__init__(otherwise.reason)
        self.otherwise = otherwise


class Unprocessable(Exception):  # noqa: N818  it is a verdict on a message
    """It can never succeed as it is; a subclass's docstring is the message for the operator."""
