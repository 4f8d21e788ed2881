"""Whatever engines say in whatever order, every holding is what its bindings on record say.

Saves, deletions, whole lists, restarts, lies, failures, rotations and suspensions in random order,
against plain dictionaries and against a recount from the bindings.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from keyturn_contracts.credential_vault import HolderRef
from keyturn_contracts.digest import binding_digest, sum_of, to_hex
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.jobs.closing import close
from services.workflow.jobs.counting import count
from services.workflow.jobs.following import follow
from services.workflow.jobs.judging import judge
from services.workflow.jobs.marking import mark
from services.workflow.queries.suspended import load_tasks
from services.workflow.rules.holding import Holding
from services.workflow.rules.rollout import Rhythm
from services.workflow.rules.usage import Judged, sum_up
from services.workflow.store.account import key_of as account_key
from services.workflow.store.concern import load_concerns
from services.workflow.store.holding import HoldingKey, load_holdings_of
from services.workflow.store.usage import load_usage_of
from services.workflow.tables import Base, BindingRow, EngineRow, RolloutRow
from shared.database.engines import create_engine
from tests.batches import Database, service_database
from tests.running_stack import RunningStack
from tests.workflow.conftest import fill
from tests.workflow.given import account_event, account_news
from tests.workflow.giving import Giving
from tests.workflow.reference import Task, digest_of
from tests.workflow.telling import ACCOUNTS, ENGINES, Account, accounts, engines
from tests.workflow.world import DAY, PROOF_KEY

RHYTHM = Rhythm(deadline=DAY, progress=timedelta(0), ask_again=DAY, ask_at_most=DAY, look_again=DAY)

EXAMPLES = 40


class Holdings(Giving):
    def __init__(self) -> None:
        super().__init__()
        self.suspended: dict[HoldingKey, tuple[int, set[tuple[Task, str]]]] = {}

    # What the vault says, and the jobs.

    def _news(self, account_id: str) -> None:
        account = self.accounts[account_id]
        account.sequence += 1
        event = account_event(
            account_id,
            account.version,
            holders=tuple(HolderRef(engine_id=one) for one in sorted(account.holders)),
            state="deleted" if account.is_deleted else "connected",
            unretired=[1],
        )
        self.run(self._apply(account_news(event, account.sequence, brand=self.brand)))

    @rule(account_id=accounts, holders=st.sets(engines))
    def rotate(self, account_id: str, holders: set[str]) -> None:
        account = self.accounts.setdefault(account_id, Account())
        account.version += 1
        account.holders = holders
        self._news(account_id)

    @precondition(lambda self: self.accounts)
    @rule(account_id=accounts)
    def delete_account(self, account_id: str) -> None:
        account = self.accounts.get(account_id)
        if account is not None and not account.is_deleted:
            account.version += 1
            account.is_deleted = True
            self._news(account_id)

    @rule(is_licensed=st.booleans())
    def change_the_licence(self, *, is_licensed: bool) -> None:
        self.license(is_licensed=is_licensed)

    @invariant()
    def rollouts_wait_for_whom_they_have_to(self) -> None:
        """Have the jobs run after every second step, and compare."""
        self.steps += 1
        if self.steps % 2:
            return
        self.run(self._close())
        completed, waiting = self.run(self._rollouts())
        for account_id, account in self.accounts.items():
            newest = (account_id, account.version)
            if account.version > 1 and newest not in self.completed:
                expected = self._expected_waiting(account_id, account)
                assert (newest in completed) == (not expected)
                assert waiting.get(newest, set()) == expected
        self.completed = completed

    async def _close(self) -> None:
        while True:
            async with self.database.writer.begin() as connection:
                found = await self._judge(connection)
                found += await close(connection, PROOF_KEY, RHYTHM, 100)
            if not found:
                return

    async def _rollouts(self) -> tuple[set[tuple[str, int]], dict[tuple[str, int], set[str]]]:
        query = select(
            RolloutRow.account_id, RolloutRow.version, RolloutRow.state, RolloutRow.view
        ).where(RolloutRow.brand_id == self.brand)
        async with self.database.writer.connect() as connection:
            rows = (await connection.execute(query)).all()
        completed = {(one, version) for one, version, state, _ in rows if state == "completed"}
        open_ones = {
            (one, version): {leg["engine_id"] for leg in view["waiting"]}
            for one, version, state, view in rows
            if state in {"open", "overdue"}
        }
        newest = {one: account.version for one, account in self.accounts.items()}
        assert all(newest[one] == version for one, version in open_ones)
        return completed, open_ones

    def _expected_waiting(self, account_id: str, account: Account) -> set[str]:
        waiting: set[str] = set()
        for engine_id, told in self.told.items():
            is_leg = engine_id in account.holders or self._allowed(engine_id, account_id) > 0
            is_done = (
                told.confirmed.get(account_id, 0) >= account.version
                and not told.failed.get(account_id)
                and not told.vanished(account_id)
                and account_id not in told.named_since
                and not (account.is_deleted and told.holds[account_id])
            )
            if is_leg and not is_done:
                waiting.add(engine_id)
        return waiting

    def _allowed(self, engine_id: str, account_id: str) -> int:
        told = self.told[engine_id]
        return sum(
            self.why_suspended(account_id, told.owners[one[1]]) is None
            for one in told.on_record(account_id)
        )

    def _suspended(self, engine_id: str, account_id: str) -> set[tuple[Task, str]]:
        told = self.told[engine_id]
        return {
            (one, reason)
            for one in told.on_record(account_id)
            if (reason := self.why_suspended(account_id, told.owners[one[1]])) is not None
        }

    async def _judge(self, connection: AsyncConnection) -> int:
        concerns = await load_concerns(connection, 100)
        await mark(connection, concerns)
        return len(concerns) + await follow(connection, 100) + await judge(connection, 100)

    # What has to be so, always.

    @invariant()
    def holdings_are_what_their_bindings_say(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        # Only after every second step: what is done before news is judged has to come out too.
        is_judged = self.steps % 2 == 0
        async with self.database.writer.begin() as connection:
            while is_judged and await self._judge(connection):
                pass
            await count(connection, timedelta(0), 100)
            holdings = await load_holdings_of(connection, [(self.brand, one) for one in ENGINES])
            usage = await load_usage_of(
                connection, (account_key(self.brand, one.account_id) for one in holdings)
            )
            listed = {
                engine_id: await load_tasks(
                    connection, self.brand, engine_id, after=("", "", ""), limit=1000
                )
                for engine_id in ENGINES
            }
            bindings = (
                await connection.execute(
                    select(
                        BindingRow.engine_id,
                        BindingRow.account_id,
                        BindingRow.workflow_id,
                        BindingRow.task_id,
                        BindingRow.is_vanished,
                    ).where(BindingRow.brand_id == self.brand)
                )
            ).all()
            wholes = (
                await connection.execute(
                    select(EngineRow.id, EngineRow.count, EngineRow.digest, EngineRow.uses).where(
                        EngineRow.brand_id == self.brand
                    )
                )
            ).all()
        for engine_id, total, digest, uses in wholes:
            on_record = self.told[engine_id].on_record()
            assert (total, digest.hex()) == (len(on_record), digest_of(on_record))
            if is_judged:
                assert _counts(uses) == self._expected_uses(on_record)
        for key, holding in holdings.items():
            told, account_id = self.told[key.engine_id], key.account_id
            of_it = [one for one in bindings if one[:2] == (key.engine_id, account_id)]
            recount = [binding_digest(*one[1:4]) for one in of_it if not one.is_vanished]
            expected = told.on_record(account_id)
            shown = to_hex(holding.digest)
            assert (holding.count, shown) == (len(recount), to_hex(sum_of(recount)))
            assert (holding.count, shown) == (len(expected), digest_of(expected))
            assert holding.vanished_count == told.vanished(account_id)
            assert holding.announced.is_bound >= holding.announced.is_allowed
            # What an engine is told is what its number stands for, however old.
            assert sum_up(usage[key]) == Judged(holding.allowed_count, holding.suspended)
            if is_judged:
                assert holding.allowed_count == self._allowed(key.engine_id, account_id)
                assert holding.announced.is_allowed == (holding.allowed_count > 0)
                self._compare_suspended(key, holding)
            assert holding.announced.is_bound == (holding.count > 0)
            assert holding.confirmed_version == told.confirmed.get(account_id, 0)
            assert holding.failed_count == told.failed.get(account_id, 0)
            assert holding.is_named_since == (account_id in told.named_since)
        for engine_id, tasks in listed.items() if is_judged else ():
            told_of = {(one.account_id, one.workflow_id, one.task_id, one.reason) for one in tasks}
            assert told_of == {
                (*task, reason)
                for account_id in ACCOUNTS
                for task, reason in self._suspended(engine_id, account_id)
            }
        missing = {(one.engine_id, one.account_id) for one in bindings} - {
            (key.engine_id, key.account_id) for key in holdings
        }
        assert not missing

    def _compare_suspended(self, key: HoldingKey, holding: Holding) -> None:
        """Compare: an engine that heard no higher number knows what it must not run."""
        assert holding.announced_suspended == holding.suspended
        expected = self._suspended(key.engine_id, key.account_id)
        assert (holding.suspended == 0) == (not expected)
        number, before = self.suspended.get(key, (0, set[tuple[Task, str]]()))
        assert holding.suspensions > number if expected != before else True
        self.suspended[key] = (holding.suspensions, expected)

    def _expected_uses(self, on_record: set[Task]) -> dict[str, dict[str, int]]:
        used = [one for one in on_record if self._is_alive(one[0])]
        workflows = len({workflow_id for _, workflow_id, _ in used})
        return {"smtp-relay": {"workflows": workflows, "tasks": len(used)}} if used else {}

    def _is_alive(self, account_id: str) -> bool:
        account = self.accounts.get(account_id)
        return account is not None and not account.is_deleted


async def leave_rows_alone(database: Database) -> None:
    """Keep autovacuum away: it freezes rows, which the twin's comparison takes for a lock gone."""
    owner = create_engine(database.settings, "owner")
    async with owner.begin() as connection:
        for table in Base.metadata.sorted_tables:
            await connection.execute(
                text(f"ALTER TABLE {table.name} SET (autovacuum_enabled = false)")
            )
    await owner.dispose()


def _counts(uses: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return what is counted of each extension, without the fingerprint of which they are."""
    return {
        extension: {what: one[what] for what in ("workflows", "tasks")}
        for extension, one in uses.items()
    }


def test_holdings_are_what_their_bindings_say(stack: RunningStack) -> None:
    async def open_database(exits: AsyncExitStack) -> Database:
        database = await exits.enter_async_context(
            service_database(stack, "workflow", Base.metadata, fill)
        )
        await leave_rows_alone(database)
        return database

    exits = AsyncExitStack()
    with asyncio.Runner() as loop:
        opened = loop.run(open_database(exits))

        class Prepared(Holdings):
            runner = loop
            database = opened

        try:
            run_state_machine_as_test(
                Prepared,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            loop.run(exits.aclose())
