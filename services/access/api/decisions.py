"""Decisions: may a member do that with an account or an extension, one or thousands at once."""

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated, Self

from fastapi import APIRouter
from keyturn_contracts.access import MemberId
from keyturn_contracts.actor import Actor
from keyturn_contracts.ids import Id, Slug
from keyturn_contracts.reasons import explain, explain_extension
from keyturn_contracts.rights import Action, Code, Facts, Way, decide, decide_extension
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.access.api.seeing import owns, sees_everybody
from services.access.queries.facts import Known, Wanted, load_facts, load_revision
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.messaging.context import Context

router = APIRouter(prefix="/v1/decisions")

MOST = 5000
PATIENCE = 2.0
"""How many seconds a revision is waited for that the service does not know."""
_PAUSE = 0.05

Revision = Annotated[int, Field(ge=0, lt=2**63)]


class QuestionBody(BaseModel):
    """May this member do that with an account; or use an extension: one of both is named."""

    model_config = ConfigDict(frozen=True)

    member: MemberId
    action: Action = "use"
    account_id: Id | None = None
    extension: Slug | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.account_id is None) == (self.extension is None):
            raise ValueError("Name an account or an extension: one of both.")
        if self.extension is not None and self.action != "use":
            raise ValueError("An extension can be used, and nothing else.")
        return self


class QuestionsBody(BaseModel):
    questions: tuple[QuestionBody, ...] = Field(min_length=1, max_length=MOST)
    at_least: Revision | None = None
    """The `revision` of an outcome, or of an earlier answer: this one is to be as new."""


class DecisionBody(BaseModel):
    allowed: bool
    code: Code
    way: Way | None = None
    """Of what is allowed: what lets them, of several ways the strongest."""
    message: str
    """The fact that decides it, in a sentence for people."""
    facts: list[str]
    """The chain of facts, each a sentence; of what is not allowed the one that is missing."""


class DecisionsBody(BaseModel):
    """An answer to each question, in their order, all from one moment."""

    decisions: list[DecisionBody]
    revision: int
    """Ask with it as `at_least` to get an answer as new as this one."""
    at: datetime
    """When it was decided: a grant that ends then does not count any more."""


@router.post("", response_model_exclude_none=True)
async def answer_decisions(
    asked: QuestionsBody, caller: Caller, context: HasContext
) -> DecisionsBody:
    """Say of each question yes or no, and why; nothing is remembered of it.

    Administrators and systems of the platform ask about anybody; others about themselves, and
    about accounts that they own. `revision_unknown` where `at_least` is a revision that this
    service has never heard of, as after a backup was restored.
    """
    _check_about(asked, caller)
    known = await _load(context, caller, _wanted(asked, caller), asked.at_least or 0)
    # Afterwards: what ran out while the facts were read does not count.
    at = datetime.now(UTC)
    _check_owned(asked, caller, known.facts, at)
    return DecisionsBody(
        decisions=[_decide(known.facts, one, at) for one in asked.questions],
        revision=known.revision,
        at=at,
    )


def _asks_about_anybody(caller: Actor) -> bool:
    # An engine reads the news of all its brand's grants anyhow, and decides by them.
    return sees_everybody(caller) or caller.engine_id is not None


def _others(asked: QuestionsBody, caller: Actor) -> list[QuestionBody]:
    if _asks_about_anybody(caller):
        return []
    return [one for one in asked.questions if one.member != caller.subject]


def _check_about(asked: QuestionsBody, caller: Actor) -> None:
    if any(one.extension is not None for one in _others(asked, caller)):
        raise _not_about_others()


def _check_owned(asked: QuestionsBody, caller: Actor, facts: Facts, at: datetime) -> None:
    accounts = {one.account_id for one in _others(asked, caller) if one.account_id is not None}
    if not all(owns(facts, caller, one, at) for one in accounts):
        raise _not_about_others()


def _not_about_others() -> ApiError:
    return ApiError(
        "not_allowed",
        "You may ask about yourself, and about others only where you own the account; an "
        "administrator of the brand asks about everybody.",
    )


def _wanted(asked: QuestionsBody, caller: Actor) -> Wanted:
    wanted = Wanted()
    for one in asked.questions:
        if one.account_id is not None:
            wanted.accounts.add((one.account_id, one.member))
        elif one.extension is not None:
            wanted.extensions.add((one.extension, one.member))
    for one in _others(asked, caller):
        if one.account_id is not None:
            wanted.accounts.add((one.account_id, caller.subject))
    return wanted


async def _load(context: Context, caller: Actor, wanted: Wanted, at_least: int) -> Known:
    """Return facts that are at least of a revision.

    Whoever knows a revision knows it from a commit. Facts are read from the database that commits,
    by a snapshot that is taken after they have asked, so it shows that commit. What is left is a
    revision that the database has not come to: told by it before it was set back to a backup.
    """
    deadline = monotonic() + PATIENCE
    while True:
        async with brand_connection(context, caller) as connection:
            if not at_least or await load_revision(connection) >= at_least:
                return await load_facts(connection, caller.brand, wanted)
        if monotonic() > deadline:
            raise ApiError(
                "revision_unknown",
                f"Revision {at_least} is not known here. Was a backup restored since it was told? "
                "Ask without at_least, and look whether what you changed is still so.",
            )
        await asyncio.sleep(_PAUSE)


def _decide(facts: Facts, asked: QuestionBody, at: datetime) -> DecisionBody:
    member = asked.member
    if asked.account_id is not None:
        decision = decide(facts, member, asked.action, asked.account_id, at)
        said = explain(
            facts, decision, member=member, action=asked.action, account_id=asked.account_id, at=at
        )
    else:
        extension = asked.extension or ""
        decision = decide_extension(facts, member, extension)
        said = explain_extension(facts, decision, member=member, extension=extension)
    return DecisionBody(
        allowed=decision.allowed,
        code=decision.code,
        way=decision.way,
        message=said[-1],
        facts=list(said),
    )
