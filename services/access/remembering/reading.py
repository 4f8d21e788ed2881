"""Reads from the database what decisions rest on, and decides by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from keyturn_contracts.access import EVERYONE
from keyturn_contracts.reasons import explain, explain_extension
from keyturn_contracts.rights import Action, Facts, decide, decide_extension
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.queries.facts import Known, Wanted, load_facts
from services.access.remembering.asked import Answer, Asked, listed_as
from services.access.remembering.memory import Question, Remembered, View
from shared.messaging.members import Listed, LoadListed, people_of


@dataclass(frozen=True, slots=True)
class Read:
    """What was read at once, and decided by it."""

    known: Known
    decisions: Mapping[Question, Remembered]
    listed: Mapping[str, Listed | None]


async def read(
    connection: AsyncConnection,
    load_listed: LoadListed,
    brand: str,
    view: View | None,
    asked: Sequence[Asked],
) -> Read:
    """Answer all of them, who ask about one brand, by facts of one moment.

    What `view` knows of who asks is not read again: where the brand has changed since, that may
    not be so any more, and they are to be answered again without it.
    """
    listed = await _listed(connection, load_listed, view, asked)
    callers = [listed_as(listed, one.actor) for one in asked]
    needed = [one.questions_of(caller) for one, caller in zip(asked, callers, strict=True)]
    questions = dict.fromkeys(question for some in needed for question in some)
    known = await load_facts(connection, brand, _wanted(questions), view and view.seen)
    # Afterwards: what ran out while the facts were read does not count.
    at = datetime.now(UTC)
    decisions = {one: decide_one(known.facts, one, at) for one in questions}
    for one, caller, some in zip(asked, callers, needed, strict=True):
        if one.refusal is None:
            one.answer = Answer(caller, [decisions[each] for each in some], known.revision, at)
    return Read(known, decisions, listed)


async def _listed(
    connection: AsyncConnection, load_listed: LoadListed, view: View | None, asked: Sequence[Asked]
) -> Mapping[str, Listed | None]:
    """Return what the brand's list says of those who ask, by whom they are."""
    people = people_of(one.actor for one in asked)
    if not people:
        return {}
    if view is not None and all(subject in view.brand.listed for _, subject in people):
        return view.brand.listed
    said = await load_listed(connection, people)
    return {subject: said.get((brand, subject)) for brand, subject in people}


def decide_one(facts: Facts, asked: Question, at: datetime) -> Remembered:
    """Decide, and say why, and until when nothing but a change can make it another decision."""
    member, action, account_id, extension = asked
    if account_id is None:
        name = extension or ""
        decision = decide_extension(facts, member, name)
        said = explain_extension(facts, decision, member=member, extension=name)
        until = None
    else:
        what = cast("Action", action)
        decision = decide(facts, member, what, account_id, at)
        said = explain(facts, decision, member=member, action=what, account_id=account_id, at=at)
        until = _first_end(facts, member, account_id, at)
    body: dict[str, object] = {"allowed": decision.allowed, "code": decision.code}
    if decision.way is not None:
        body["way"] = decision.way
    body |= {"message": said[-1], "facts": said}
    return Remembered(to_json(body), decision.allowed, until)


def _first_end(facts: Facts, member: str, account_id: str, at: datetime) -> datetime | None:
    """Return when the first grant ends by itself that may count now: from then on it is asked."""
    grants = facts.grants.get(account_id, {})
    held = [grants[one] for one in (member, EVERYONE) if one in grants]
    ends = [one.until for one in held if one.until is not None and one.holds_at(at)]
    return min(ends, default=None)


def _wanted(questions: Iterable[Question]) -> Wanted:
    wanted = Wanted()
    for one in questions:
        if one.account_id is not None:
            wanted.accounts.add((one.account_id, one.member))
        elif one.extension is not None:
            wanted.extensions.add((one.extension, one.member))
    return wanted
