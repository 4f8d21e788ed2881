"""Decisions: may a member do that with an account or an extension, one or thousands at once."""

from collections.abc import Callable, Sequence
from functools import partial

from fastapi import Request, Response
from keyturn_contracts.actor import Actor

from services.access.api.questions import DecisionsBody, read, schema_of_questions, skim
from services.access.api.seeing import sees_everybody
from services.access.api.tokens import Tokens
from services.access.remembering.asked import Answer
from services.access.remembering.deciding import Deciding, UnknownRevision
from services.access.remembering.memory import Question
from services.access.rules.members import is_of_the_brand
from shared.http.at_once import AtOnce, QuickRouter
from shared.http.errors import ApiError

PATH = "/v1/decisions"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schema_of_questions()}},
    }
}


def decision_routes(deciding: Deciding) -> QuickRouter:
    router = QuickRouter()
    tokens = Tokens()

    def recall(caller: Actor, body: bytes) -> bytes | None:
        skimmed = skim(body)
        if skimmed is None:
            return None
        questions, at_least = skimmed
        found = deciding.recall(caller, partial(_needed, questions), at_least)
        return None if found is None else _answer(questions, found)

    # What is sent and answered is read and written here, and not by the framework: for most it is
    # ten times the work of finding the answer.
    @router.post(PATH, response_model=DecisionsBody, openapi_extra=_BODY)
    async def answer_decisions(request: Request) -> Response:
        """Say of each question yes or no, and why; nothing is remembered of who asked.

        Administrators and engines ask about anybody; other members about themselves, and about
        accounts that they own. `revision_unknown` where `at_least` is a
        revision that this service has never heard of, as after a backup was restored.
        """
        caller = await tokens.caller(request)
        if not _may_ask(caller):
            raise ApiError("not_allowed", "Only members of the brand ask, and you act as none.")
        body = await request.body()
        answer = recall(caller, body)
        if answer is None:
            questions, at_least = read(body)
            try:
                found = await deciding.answer(
                    caller, partial(_needed, questions), at_least, size=len(questions)
                )
            except UnknownRevision:
                raise _unknown(at_least) from None
            answer = _answer(questions, found)
        return Response(answer, media_type="application/json")

    router.at_once[PATH] = _at_once(tokens, recall)
    return router


def _at_once(tokens: Tokens, recall: Callable[[Actor, bytes], bytes | None]) -> AtOnce:
    def answer_at_once(authorization: bytes) -> Callable[[bytes], bytes | None] | None:
        caller = tokens.known_caller(authorization)
        if caller is None or not _may_ask(caller):
            return None

        def answer(body: bytes) -> bytes | None:
            try:
                return recall(caller, body)
            except ApiError:
                return None

        return answer

    return answer_at_once


def _may_ask(caller: Actor) -> bool:
    """Tell whether their issuer vouches for them as an engine or somebody of the brand.

    Who left the list is told so; an operator bears no member's name by being one.
    """
    return caller.engine_id is not None or is_of_the_brand(caller)


def _needed(questions: Sequence[Question], caller: Actor) -> Sequence[Question]:
    """Return what is asked, and behind it whether those accounts are theirs that others may use."""
    return [*questions, *_shares(_others(questions, caller), caller)]


def _asks_about_anybody(caller: Actor) -> bool:
    # An engine reads the news of all its brand's grants anyhow, and decides by them.
    return sees_everybody(caller) or caller.engine_id is not None


def _others(questions: Sequence[Question], caller: Actor) -> list[Question]:
    if _asks_about_anybody(caller):
        return []
    others = [one for one in questions if one.member != caller.subject]
    if others and not is_of_the_brand(caller):
        raise _not_about_others()
    if any(one.account_id is None for one in others):
        raise _not_about_others()
    return others


def _shares(others: Sequence[Question], caller: Actor) -> list[Question]:
    accounts = dict.fromkeys(one.account_id for one in others)
    return [Question(caller.subject, "share", one, None) for one in accounts]


def _answer(questions: Sequence[Question], found: Answer) -> bytes:
    """Return its JSON; raise `ApiError` where they may not be told."""
    asked, shares = found.decisions[: len(questions)], found.decisions[len(questions) :]
    if not all(one.allowed for one in shares):
        raise _not_about_others()
    bodies = b",".join([one.body for one in asked])
    at = found.at.isoformat().replace("+00:00", "Z")
    return b'{"decisions":[%b],"revision":%d,"at":"%b"}' % (bodies, found.revision, at.encode())


def _unknown(revision: int) -> ApiError:
    return ApiError(
        "revision_unknown",
        f"Revision {revision} is not known here. Was a backup restored since it was told? "
        "Ask without at_least, and look whether what you changed is still so.",
    )


def _not_about_others() -> ApiError:
    return ApiError(
        "not_allowed",
        "You may ask about yourself, and about others only where you own the account; an "
        "administrator of the brand asks about everybody.",
    )
