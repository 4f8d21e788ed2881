"""Whatever is true of a brand, a decision over HTTP is the rule's own on the same facts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from anyio import from_thread, to_thread
from hypothesis import HealthCheck, settings
from hypothesis import given as property_of
from hypothesis import strategies as st
from keyturn_contracts.access import EVERYONE
from keyturn_contracts.reasons import explain, explain_extension
from keyturn_contracts.rights import (
    AccountFact,
    Action,
    Facts,
    Grant,
    InstallationFact,
    decide,
    decide_extension,
)
from sqlalchemy import text

from tests.access.http import Client, serving
from tests.access.world import World
from tests.running_stack import RunningStack

PAST, FAR = datetime(2026, 1, 1, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
MEMBERS = ("ada", "bob", "root")
WATCH = "watch"
"""Asks, as an administrator: whatever list there is has them on it."""
EXTENSIONS = ("loud-mail", "smtp-relay")
ACCOUNTS = ("chat", "mail", "relay")
QUESTIONS: list[dict[str, str]] = [
    *(
        {"member": member, "account_id": account_id, "action": action}
        for member in MEMBERS
        for account_id in ACCOUNTS
        for action in get_args(Action)
    ),
    *({"member": member, "extension": slug} for member in MEMBERS for slug in EXTENSIONS),
]


@dataclass
class Brand:
    """What is true of a brand: rows as the tables have them, and the same as facts."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    facts: Facts = field(default_factory=Facts)

    def add(self, table: str, **row: Any) -> None:
        self.rows.setdefault(table, []).append({"brand_id": "acme"} | row)


@st.composite
def brands(draw: st.DrawFn) -> Brand:
    brand = Brand()
    facts = brand.facts
    if draw(st.booleans()):
        facts.has_list = draw(st.booleans())
        brand.add("brand", has_list=facts.has_list, on_loss="suspend")
    for member in draw(st.sets(st.sampled_from(MEMBERS))) if facts.has_list else ():
        role = draw(st.sampled_from(("administrator", "member")))
        state = draw(st.sampled_from(("registered", "removed")))
        brand.add("member", id=member, name="", role=role, state=state, is_to_end=False)
        if state == "registered":
            facts.members[member] = role
    if facts.has_list:
        brand.add(
            "member", id=WATCH, name="", role="administrator", state="registered", is_to_end=False
        )
        facts.members[WATCH] = "administrator"
    for slug in draw(st.sets(st.sampled_from(EXTENSIONS))):
        party = draw(st.sampled_from(("first", "third")))
        states = ("installed", "suspended", "uninstalling", "uninstalled")
        state = draw(st.sampled_from(("installed", "installed", *states)))
        brand.add(
            "installation",
            extension=slug,
            party=party,
            state=state,
            epoch=1,
            sequence=1,
            is_to_end=False,
        )
        facts.installations[slug] = InstallationFact(party=party, state=state)
    for account_id in draw(st.sets(st.sampled_from(ACCOUNTS))):
        slug = draw(st.sampled_from(EXTENSIONS))
        is_deleted = draw(st.sampled_from((False, False, False, True)))
        brand.add(
            "account",
            id=account_id,
            extension=slug,
            name=account_id,
            creator="ada",
            is_deleted=is_deleted,
            epoch=1,
            sequence=1,
            is_created=True,
            is_to_own=False,
            is_to_end=False,
        )
        facts.accounts[account_id] = AccountFact(slug, is_deleted=is_deleted)
    _draw_grants(draw, brand)
    _draw_enablements(draw, brand)
    return brand


def _draw_grants(draw: st.DrawFn, brand: Brand) -> None:
    whom = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from((EVERYONE, *MEMBERS)))
    for account_id, member in draw(st.sets(whom)):
        level = "user" if member == EVERYONE else draw(st.sampled_from(("user", "owner")))
        is_alive = draw(st.sampled_from((True, True, False)))
        until = draw(st.sampled_from((None, PAST, FAR)))
        brand.add(
            "access_grant",
            account_id=account_id,
            member=member,
            level=level,
            until=until,
            state="granted" if is_alive else "ended",
            why_ended=None if is_alive else "revoked",
            how="granted",
            by="root",
            since=PAST,
        )
        if is_alive:
            brand.facts.grants.setdefault(account_id, {})[member] = Grant(level, until)


def _draw_enablements(draw: st.DrawFn, brand: Brand) -> None:
    whom = st.tuples(st.sampled_from(EXTENSIONS), st.sampled_from((EVERYONE, *MEMBERS)))
    for slug, member in draw(st.sets(whom)):
        is_enabled = draw(st.booleans())
        brand.add(
            "enablement",
            extension=slug,
            member=member,
            by="root",
            since=PAST,
            state="enabled" if is_enabled else "disabled",
        )
        if is_enabled:
            brand.facts.enablements.setdefault(slug, set()).add(member)


async def become(world: World, brand: Brand) -> None:
    """Have exactly this be true of the brand."""
    tables = ("brand", "member", "installation", "account", "access_grant", "enablement")
    async with world.database.writer.begin() as connection:
        for table in tables:
            await connection.execute(text(f"DELETE FROM {table} WHERE brand_id = 'acme'"))  # noqa: S608  our own names
            for row in brand.rows.get(table, ()):
                names = ", ".join(row)
                values = ", ".join(f":{name}" for name in row)
                await connection.execute(
                    text(f"INSERT INTO {table} ({names}) VALUES ({values})"),  # noqa: S608  our own names
                    row,
                )


@pytest.fixture
async def client(world: World, stack: RunningStack, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(stack, world.database, tmp_path) as client:
        yield client


def decided_by_the_rule(facts: Facts, asked: dict[str, str], at: datetime) -> dict[str, Any]:
    member = asked["member"]
    if "extension" in asked:
        decision = decide_extension(facts, member, asked["extension"])
        said = explain_extension(facts, decision, member=member, extension=asked["extension"])
    else:
        action: Any = asked["action"]
        account_id = asked["account_id"]
        decision = decide(facts, member, action, account_id, at)
        said = explain(facts, decision, member=member, action=action, account_id=account_id, at=at)
    return {
        "allowed": decision.allowed,
        "code": decision.code,
        "way": decision.way,
        "message": said[-1],
        "facts": list(said),
    }


async def test_decisions_over_http_are_those_of_the_rule(world: World, client: Client) -> None:
    async def check(brand: Brand) -> None:
        await become(world, brand)
        answer = (await client.ask(*QUESTIONS, by=WATCH)).json()
        at = datetime.fromisoformat(answer["at"])
        for question, decision in zip(QUESTIONS, answer["decisions"], strict=True):
            expected = decided_by_the_rule(brand.facts, question, at)
            assert {"way": None} | decision == expected, question

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @property_of(brands())
    def whatever_is_true(brand: Brand) -> None:
        from_thread.run(partial(check, brand))

    await to_thread.run_sync(whatever_is_true)
