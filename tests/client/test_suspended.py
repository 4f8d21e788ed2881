"""An engine starts no run of a task that is suspended, nor of one of which it does not know."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from keyturn_client.commands import Signer
from keyturn_client.engine.suspended import Suspended
from keyturn_client.http import Http
from keyturn_client.problems import SuspendedError, UnreachableError
from keyturn_client.replica.freshness import now
from keyturn_client.settings import Services
from keyturn_contracts.keys import new_engine_sealing_key, new_signing_key
from keyturn_contracts.workflow import SuspendedTask, SuspendedTasks

from tests.client.given import BRAND, ENGINE, WHO
from tests.client.stand_in import StandIn, standing_in
from tests.waiting import eventually

NOW = timedelta(0)
LONG = timedelta(seconds=30)
MAX_AGE = timedelta(minutes=5)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def given_suspended(
    clock: Callable[[], float] = now,
) -> AsyncGenerator[tuple[StandIn, Suspended]]:
    async with standing_in(new_engine_sealing_key()) as service:
        signer = Signer.of_engine(new_signing_key(), brand=BRAND, engine_id=ENGINE)
        http = Http(Services(credential_vault=service.url, workflow=service.url), signer)
        try:
            yield service, Suspended(http, WHO, MAX_AGE, clock)
        finally:
            await http.close()


@asynccontextmanager
async def working(suspended: Suspended) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(suspended.work())
        yield
        work.cancel()


def task(workflow_id: str, account_id: str = "mail", task_id: str = "send") -> SuspendedTask:
    return SuspendedTask(
        workflow_id=workflow_id, task_id=task_id, account_id=account_id, reason="no_access"
    )


def page(*tasks: SuspendedTask, after: str | None = None, **numbers: int) -> SuspendedTasks:
    return SuspendedTasks(tasks=tasks, suspensions=numbers, next=after)


def refusal(suspended: Suspended, workflow_id: str, account_id: str = "mail") -> str | None:
    """Return why no run of the workflow begins, or None where one does."""
    try:
        suspended.check(workflow_id, [account_id])
    except SuspendedError as error:
        return error.reason
    return None


async def test_before_anything_was_read_nothing_is_run() -> None:
    async with given_suspended() as (_, suspended):
        assert refusal(suspended, "w1") == "not_known"
        assert not suspended.is_known
        await suspended.read()
        assert refusal(suspended, "w1") is None
        assert suspended.is_known


async def test_what_uses_no_account_is_run_whatever_is_known() -> None:
    async with given_suspended() as (_, suspended):
        suspended.check("w1", [])


async def test_all_pages_are_read_and_a_refusal_names_the_tasks_and_reasons() -> None:
    async with given_suspended() as (service, suspended):
        tasks = task("w1"), task("w1", "chat", "ping"), task("w2")
        service.suspended = [page(tasks[0], after="1", mail=2), page(*tasks[1:], mail=3)]
        await suspended.read()

        with pytest.raises(
            SuspendedError, match="its task send is suspended, which may not use account mail"
        ) as refused:
            suspended.check("w1", ["mail", "chat"])
        assert (refused.value.reason, refused.value.tasks) == ("suspended", tasks[:2])
        assert refusal(suspended, "w2") == "suspended"
        assert refusal(suspended, "w3") is None
        assert suspended.by_account() == {"mail": (tasks[0], tasks[2]), "chat": (tasks[1],)}
        # The number of the first page is what was read: a later page's is news.
        suspended.hear({"mail": 3})
        assert not suspended.is_known


async def test_a_number_that_rises_is_read_again_and_until_then_nothing_of_it_is_run() -> None:
    async with given_suspended() as (service, suspended):
        await suspended.read()
        service.suspended = [page(task("w1"), mail=1)]

        suspended.hear({"mail": 1})
        before = [refusal(suspended, "w1"), refusal(suspended, "w1", "chat")]
        async with working(suspended):
            await suspended.known(["mail"], LONG)

        assert before == ["not_known", None]
        assert [refusal(suspended, one) for one in ("w1", "w2")] == ["suspended", None]


async def test_a_number_that_was_read_already_asks_for_nothing() -> None:
    async with given_suspended() as (service, suspended):
        service.suspended = [page(task("w1"), mail=4)]
        await suspended.read()

        suspended.hear({"mail": 4, "chat": 0})

        assert suspended.is_known


async def test_while_the_list_cannot_be_read_nothing_of_it_is_run_and_then_it_is() -> None:
    async with given_suspended() as (service, suspended):
        await suspended.read()
        service.is_down = True
        suspended.hear({"mail": 1})
        with pytest.raises(UnreachableError):
            await suspended.read()
        assert refusal(suspended, "w1") == "not_known"
        async with working(suspended):
            await eventually(lambda: len(service.asked) > 3)
            await suspended.known(["mail"], NOW)
            assert refusal(suspended, "w1") == "not_known"
            service.is_down = False
            await suspended.known(["mail"], LONG)
        assert refusal(suspended, "w1") is None


async def test_what_is_heard_or_doubted_while_it_is_read_is_read_once_more() -> None:
    async with given_suspended() as (service, suspended):
        await suspended.read()
        service.let_through.clear()
        suspended.hear({"mail": 1})
        reading = asyncio.create_task(suspended.read())
        await eventually(lambda: len(service.asked) == 2)
        during = refusal(suspended, "w1")
        suspended.hear({"mail": 2})
        suspended.doubt()
        service.let_through.set()
        await reading

        assert during == "not_known"
        assert refusal(suspended, "w1") == "not_known"
        await suspended.read()
        assert refusal(suspended, "w1") is None


async def test_what_is_suspended_no_more_is_run_again() -> None:
    async with given_suspended() as (service, suspended):
        service.suspended = [page(task("w1"), mail=1)]
        await suspended.read()
        service.suspended = [page(mail=2)]
        suspended.hear({"mail": 2})
        async with working(suspended):
            await suspended.known(["mail"], LONG)

        assert refusal(suspended, "w1") is None
        assert suspended.by_account() == {}


async def test_what_nobody_has_confirmed_for_too_long_begins_no_run() -> None:
    clock = Clock()
    async with given_suspended(clock) as (_, suspended):
        assert suspended.age is None
        await suspended.read()
        clock.seconds += 300
        assert refusal(suspended, "w1") is None
        assert (suspended.age, suspended.is_known) == (MAX_AGE, True)

        clock.seconds += 1
        with pytest.raises(SuspendedError, match="last known more than 300 s ago") as refused:
            suspended.check("w1", ["mail"])
        assert refused.value.reason == "too_old"
        assert not suspended.is_known
        suspended.check("w1", [])

        await suspended.confirm(clock.seconds - 1)
        assert refusal(suspended, "w1") is None
        assert suspended.age == timedelta(seconds=1)


async def test_a_list_that_was_never_read_has_no_age_whatever_is_confirmed() -> None:
    clock = Clock()
    async with given_suspended(clock) as (service, suspended):
        service.is_down = True
        with pytest.raises(UnreachableError):
            await suspended.read()
        await suspended.confirm(clock.seconds)
        assert (suspended.age, suspended.is_known) == (None, False)

        service.is_down = False
        await suspended.read()
        assert (suspended.age, suspended.is_known) == (timedelta(0), True)


async def test_what_is_confirmed_late_makes_nothing_older() -> None:
    clock = Clock()
    async with given_suspended(clock) as (_, suspended):
        await suspended.read()
        await suspended.confirm(clock.seconds - 200)
        assert suspended.age == timedelta(0)


async def test_what_is_suspended_stays_so_however_old_it_is() -> None:
    clock = Clock()
    async with given_suspended(clock) as (service, suspended):
        service.suspended = [page(task("w1"), mail=1)]
        await suspended.read()
        clock.seconds += 1000
        assert refusal(suspended, "w1") == "suspended"


async def test_events_that_show_nothing_have_the_service_asked_and_news_of_it_counts() -> None:
    clock = Clock()
    async with given_suspended(clock) as (service, suspended):
        await suspended.read()
        service.suspended = [page(task("w1"), mail=1)]
        clock.seconds += 1000
        async with working(suspended):
            await suspended.known(["mail"], LONG)

        assert [refusal(suspended, one) for one in ("w1", "w2")] == ["suspended", None]
        assert suspended.age == timedelta(0)


async def test_while_neither_says_anything_no_run_begins_until_one_of_both_does() -> None:
    clock = Clock()
    async with given_suspended(clock) as (service, suspended):
        await suspended.read()
        service.is_down = True
        clock.seconds += 1000
        async with working(suspended):
            await eventually(lambda: len(service.asked) > 3)
            assert refusal(suspended, "w1") == "too_old"
            waiting = asyncio.create_task(suspended.known(["mail"], LONG))
            await asyncio.sleep(0)
            await suspended.confirm(clock.seconds)
            await waiting
        assert refusal(suspended, "w1") is None
