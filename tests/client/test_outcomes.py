"""Any number of outcomes is asked for at once, and nobody else has to wait for that."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from keyturn_client.commands import Signer
from keyturn_client.http import Http
from keyturn_client.outcomes import ask_outcome
from keyturn_client.problems import NotFoundError
from keyturn_client.settings import Services
from keyturn_contracts.keys import new_engine_sealing_key, new_signing_key
from keyturn_contracts.message import CommandApplied

from tests.client.stand_in import StandIn, standing_in
from tests.waiting import eventually

MANY = 300
APPLIED = CommandApplied(command="EditAccount", changed=True)
SIGNER = Signer(
    key=new_signing_key(), issuer="local", subject="ada", brand="acme", roles=frozenset()
)


@pytest.fixture
async def http(service: StandIn) -> AsyncIterator[Http]:
    one = Http(Services(credential_vault=service.url, workflow=service.url), SIGNER)
    yield one
    await one.close()


@pytest.fixture
async def service() -> AsyncIterator[StandIn]:
    async with standing_in(new_engine_sealing_key()) as one:
        yield one


async def test_a_question_is_answered_while_many_outcomes_are_waited_for(
    service: StandIn, http: Http
) -> None:
    ids = [f"command-{number}" for number in range(MANY)]
    service.outcomes = dict.fromkeys(ids, APPLIED)
    service.let_through.clear()
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(ask_outcome(http, "workflow", one, 30)) for one in ids]
        await eventually(lambda: "command-0" in service.asked)
        question = tasks.create_task(_asked(http, "question"))
        await eventually(lambda: "question" in service.asked)
        assert not any(one.done() for one in asking)
        service.let_through.set()
    assert question.result() is None
    assert [one.result() for one in asking] == [APPLIED] * MANY
    assert sorted(service.asked) == sorted([*ids, "question"])


async def _asked(http: Http, name: str) -> None:
    with pytest.raises(NotFoundError):
        await http.get("workflow", f"/v1/outcomes/{name}")


async def test_who_waits_long_gives_way_while_others_wait_for_their_turn(
    service: StandIn, http: Http
) -> None:
    await asyncio.gather(*(ask_outcome(http, "workflow", str(one), 30) for one in range(MANY)))
    assert service.waits[0] == "wait=2s"
    service.waits.clear()
    assert await ask_outcome(http, "workflow", "alone", 30) is None
    assert service.waits == ["wait=30s"]


async def test_a_service_that_never_answers_holds_up_no_other(service: StandIn) -> None:
    service.let_through.clear()
    async with standing_in(new_engine_sealing_key()) as other:
        http = Http(Services(credential_vault=service.url, workflow=other.url), SIGNER)
        other.outcomes = {"answered": APPLIED}
        silent = [
            asyncio.create_task(ask_outcome(http, "credential-vault", f"command-{number}", 30))
            for number in range(MANY)
        ]
        await eventually(lambda: "command-0" in service.asked)
        assert await ask_outcome(http, "workflow", "answered", 30) == APPLIED
        assert not any(one.done() for one in silent)
        service.let_through.set()
        await asyncio.gather(*silent)
        await http.close()


async def test_an_outcome_is_asked_for_although_its_time_was_over_before_its_turn(
    service: StandIn, http: Http
) -> None:
    service.outcomes = {"late": APPLIED}
    assert await ask_outcome(http, "workflow", "late", -1) == APPLIED
    assert service.waits == ["wait=0s"]
