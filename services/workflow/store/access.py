"""What access announced of brands: their members, who was given what, and what is enabled."""

from collections.abc import Iterable, Mapping, Sequence

from keyturn_contracts.access import (
    EVERYONE,
    AccessPolicyChanged,
    EnablementChanged,
    GrantChanged,
    MemberChanged,
)
from keyturn_contracts.message import Key
from keyturn_contracts.rights import Facts, Grant
from sqlalchemy import Integer, bindparam, false, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.access import Access, know, why_nobody
from services.workflow.rules.account import Account
from services.workflow.store.concern import Concern, note_concerns
from services.workflow.tables import IS_ENDING, EnablementRow, GrantRow, PolicyRow
from shared.database.rows import Rows
from shared.messaging import members
from shared.messaging.envelope import News, newest_of_each_key

_POLICIES = Rows(PolicyRow.brand_id, PolicyRow.on_loss, PolicyRow.epoch, PolicyRow.sequence)
_SAVE_POLICIES = _POLICIES.upsert_into(PolicyRow, newest_by=[PolicyRow.epoch, PolicyRow.sequence])
_GRANTS = Rows(
    GrantRow.brand_id,
    GrantRow.account_id,
    GrantRow.member,
    GrantRow.level,
    GrantRow.state,
    GrantRow.until,
    GrantRow.epoch,
    GrantRow.sequence,
)
_SAVE_GRANTS = _GRANTS.upsert_into(
    GrantRow, newest_by=[GrantRow.epoch, GrantRow.sequence], also={GrantRow.is_over: false()}
)
_KEY = (GrantRow.brand_id, GrantRow.account_id, GrantRow.member)
_TO_END = (
    select(*_KEY)
    .where(IS_ENDING, GrantRow.until <= func.now())
    .order_by(GrantRow.until, *_KEY)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True, of=GrantRow)
    .cte("to_end")
)
_END = (
    update(GrantRow)
    .where(*(one == _TO_END.c[one.key] for one in _KEY))
    .values(is_over=True)
    .returning(GrantRow.brand_id, GrantRow.account_id)
)
_ENABLEMENTS = Rows(
    EnablementRow.brand_id,
    EnablementRow.extension,
    EnablementRow.member,
    EnablementRow.state,
    EnablementRow.epoch,
    EnablementRow.sequence,
)
_SAVE_ENABLEMENTS = _ENABLEMENTS.upsert_into(
    EnablementRow, newest_by=[EnablementRow.epoch, EnablementRow.sequence]
)

_BRANDS = Rows(PolicyRow.brand_id)
_LOAD_POLICIES = select(
    _BRANDS.c.brand_id,
    func.coalesce(PolicyRow.on_loss, "suspend"),
    func.clock_timestamp(),
).join_from(_BRANDS.table, PolicyRow, PolicyRow.brand_id == _BRANDS.c.brand_id, isouter=True)
_WANTED_GRANTS = Rows(GrantRow.brand_id, GrantRow.account_id, GrantRow.member)
_LOAD_GRANTS = select(
    GrantRow.brand_id, GrantRow.account_id, GrantRow.member, GrantRow.level, GrantRow.until
).where(
    GrantRow.brand_id == _WANTED_GRANTS.c.brand_id,
    GrantRow.account_id == _WANTED_GRANTS.c.account_id,
    GrantRow.member == _WANTED_GRANTS.c.member,
    GrantRow.state == "granted",
)
_WANTED_ENABLEMENTS = Rows(EnablementRow.brand_id, EnablementRow.extension, EnablementRow.member)
_LOAD_ENABLEMENTS = select(
    EnablementRow.brand_id, EnablementRow.extension, EnablementRow.member
).where(
    EnablementRow.brand_id == _WANTED_ENABLEMENTS.c.brand_id,
    EnablementRow.extension == _WANTED_ENABLEMENTS.c.extension,
    EnablementRow.member == _WANTED_ENABLEMENTS.c.member,
    EnablementRow.state == "enabled",
)


async def save_members(connection: AsyncConnection, news: Sequence[News[MemberChanged]]) -> None:
    """Remember who is on which list; a job has what their workflows use judged again.

    The first of a brand begins its list, which concerns everybody who is not on it.
    """
    people = {(one.brand, one.event.member_id) for one in news}
    listed = await members.load_listed(connection, people)
    await members.save_members(connection, news)
    begun = {brand for brand, _ in people} - {brand for brand, _ in listed}
    concerns = {Concern(brand, member=member) for brand, member in people if brand not in begun}
    await note_concerns(connection, concerns | {Concern(brand) for brand in begun})


async def save_policies(
    connection: AsyncConnection, news: Sequence[News[AccessPolicyChanged]]
) -> None:
    """Remember what brands chose; a job has all their accounts judged again."""
    newest = newest_of_each_key(news)
    rows = ((one.brand, one.event.on_loss, one.epoch, one.sequence) for one in newest)
    await connection.execute(_SAVE_POLICIES, _POLICIES.of(rows))
    await note_concerns(connection, {Concern(one.brand) for one in newest})


async def save_grants(connection: AsyncConnection, news: Sequence[News[GrantChanged]]) -> None:
    """Remember who was given which account; a job has these accounts judged again."""
    newest = newest_of_each_key(news)
    rows = (
        (
            one.brand,
            one.event.account_id,
            one.event.member,
            one.event.level,
            one.event.state,
            one.event.until,
            one.epoch,
            one.sequence,
        )
        for one in newest
    )
    await connection.execute(_SAVE_GRANTS, _GRANTS.of(rows))
    await note_concerns(
        connection, {Concern(one.brand, account_id=one.event.account_id) for one in newest}
    )


async def note_ended(connection: AsyncConnection, most: int) -> int:
    """Have accounts judged again of which grants have run out, and return how many grants.

    Access ends them too, and says so: whoever it is that is late, nobody keeps what has run out.
    """
    ended = (await connection.execute(_END, {"most": most})).all()
    await note_concerns(connection, {Concern(*one) for one in ended})
    return len(ended)


async def save_enablements(
    connection: AsyncConnection, news: Sequence[News[EnablementChanged]]
) -> None:
    """Remember what is enabled for whom; a job has what they use of it judged again."""
    newest = newest_of_each_key(news)
    rows = (
        (
            one.brand,
            one.event.extension,
            one.event.member,
            one.event.state,
            one.epoch,
            one.sequence,
        )
        for one in newest
    )
    await connection.execute(_SAVE_ENABLEMENTS, _ENABLEMENTS.of(rows))
    concerns = {
        Concern(
            one.brand,
            member="" if one.event.member == EVERYONE else one.event.member,
            extension=one.event.extension,
        )
        for one in newest
    }
    await note_concerns(connection, concerns)


async def load_access(
    connection: AsyncConnection,
    brands: Iterable[str],
    accounts: Mapping[Key, Account],
    members_of: Iterable[tuple[Key, str]],
) -> dict[str, Access]:
    """Return by brand what decides whether these members may use these accounts, as it is now.

    `members_of` are pairs of an account's key and a member; of accounts that are not among
    `accounts` nothing is asked. Hold them first: what is news after that has them judged again.
    """
    access = await _load_policies(connection, brands)
    wanted = {(key, member) for key, member in members_of if key in accounts}
    for key in {key for key, _ in wanted}:
        if why_nobody(accounts[key]) is None:
            know(access[key.brand].facts, accounts[key])
    await _load_members(connection, access, wanted)
    await _load_grants(connection, access, wanted)
    asked = {(key.brand, accounts[key].extension, member) for key, member in wanted}
    await _load_enablements(connection, access, asked)
    return access


async def _load_policies(connection: AsyncConnection, brands: Iterable[str]) -> dict[str, Access]:
    rows = await connection.execute(
        _LOAD_POLICIES, _BRANDS.of((one,) for one in sorted(set(brands)))
    )
    return {brand: Access(at=now, facts=Facts(), on_loss=on_loss) for brand, on_loss, now in rows}


async def _load_members(
    connection: AsyncConnection, access: Mapping[str, Access], wanted: Iterable[tuple[Key, str]]
) -> None:
    people = {(key.brand, member) for key, member in wanted}
    for (brand, member), role in (await members.load_listed(connection, people)).items():
        facts = access[brand].facts
        facts.has_list = True
        if role != "absent":
            facts.members[member] = role


async def _load_grants(
    connection: AsyncConnection, access: Mapping[str, Access], wanted: Iterable[tuple[Key, str]]
) -> None:
    named = {(key.brand, key.id, one) for key, member in wanted for one in (member, EVERYONE)}
    for brand, account_id, member, level, until in await connection.execute(
        _LOAD_GRANTS, _WANTED_GRANTS.of(sorted(named))
    ):
        access[brand].facts.grants.setdefault(account_id, {})[member] = Grant(level, until)


async def _load_enablements(
    connection: AsyncConnection,
    access: Mapping[str, Access],
    wanted: Iterable[tuple[str, str, str]],
) -> None:
    named = {
        (brand, extension, one) for brand, extension, member in wanted for one in (member, EVERYONE)
    }
    for brand, extension, member in await connection.execute(
        _LOAD_ENABLEMENTS, _WANTED_ENABLEMENTS.of(sorted(named))
    ):
        access[brand].facts.enablements.setdefault(extension, set()).add(member)
