"""What is asked of decisions, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keyturn_contracts.actor import Actor

from services.access.remembering.memory import Question, Remembered, View
from shared.http.errors import ApiError
from shared.messaging.members import Listed, narrowed, people_of

Needed = Callable[[Actor], Sequence[Question]]
"""What whoever asks, with the roles that the list leaves them, needs decided; it may refuse."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Decisions, all of one moment."""

    caller: Actor
    """With the roles that the list leaves them."""
    decisions: Sequence[Remembered]
    """In the order of what was needed."""
    revision: int
    """It is at least as new as this."""
    at: datetime


@dataclass(slots=True)
class Asked:
    """One who asks, together with others it may be: an answer comes of it, or what is raised."""

    actor: Actor
    needed: Needed
    size: int
    """How many questions that are, about."""
    answer: Answer | None = None
    refusal: ApiError | None = None
    """What `needed` has raised."""
    failure: Exception | None = None
    """Why nothing could be read for it."""

    @property
    def is_settled(self) -> bool:
        return self.answer is not None or self.refusal is not None or self.failure is not None

    def questions_of(self, caller: Actor) -> Sequence[Question]:
        """Return what is needed; none where it is refused, which settles it.

        Asked again with other roles it is judged anew.
        """
        self.refusal = None
        try:
            return self.needed(caller)
        except ApiError as error:
            self.refusal = error
            return ()

    def fail(self, error: Exception) -> None:
        """Settle it by what kept it from being read, unless something came of it already."""
        if not self.is_settled:
            self.failure = error

    def result(self) -> Answer:
        """Return the answer, or raise what refused it."""
        if self.failure is not None:
            raise self.failure
        if self.refusal is not None:
            raise self.refusal
        assert self.answer is not None  # noqa: S101  it is settled
        return self.answer


def recall(view: View, actor: Actor, needed: Needed) -> Answer | None:
    """Return what is remembered of all that is needed, or None where anything is missing."""
    caller = as_listed(view, actor)
    if caller is None:
        return None
    at = datetime.now(UTC)
    remembered = view.brand.decisions
    decisions: list[Remembered] = []
    for question in needed(caller):
        found = remembered.get(question)
        if found is None or (found.until is not None and found.until <= at):
            return None
        decisions.append(found)
    return Answer(caller, decisions, view.revision, at)


def as_listed(view: View, actor: Actor) -> Actor | None:
    """Return who asks with the roles that the list leaves them, or None where it is not known."""
    if not people_of([actor]):
        return actor
    if actor.subject not in view.brand.listed:
        return None
    return listed_as(view.brand.listed, actor)


def listed_as(listed: Mapping[str, Listed | None], actor: Actor) -> Actor:
    """Return who asks with the roles that their brand's list leaves them, by what it says."""
    said = listed.get(actor.subject)
    return actor if said is None else narrowed(actor, {(actor.brand, actor.subject): said})
