"""What decisions about access rest on: as much of a brand as questions need, at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from keyturn_contracts.access import EVERYONE
from keyturn_contracts.rights import AccountFact, Facts, Grant, InstallationFact
from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.queries.changes import SINCE, Snapshot
from shared.messaging.outbox import REVISION

# One statement, so one snapshot: facts of different moments could allow what never was allowed.
# The revision is read while it runs, which is after its snapshot was taken; see `load_facts`.
_LOAD = text(f"""
    WITH pair AS MATERIALIZED (
        SELECT account_id, member FROM unnest(:account_ids, :account_members)
            AS given (account_id, member)
    ), named AS MATERIALIZED (
        SELECT id, extension, is_deleted FROM account
         WHERE brand_id = :brand AND id = ANY(:account_ids)
    ), use AS MATERIALIZED (
        SELECT extension, member FROM unnest(:extensions, :extension_members)
            AS given (extension, member)
        UNION
        SELECT named.extension, pair.member FROM named JOIN pair ON pair.account_id = named.id
    )
    SELECT 'list', NULL, NULL, NULL, NULL::timestamptz, NULL::boolean FROM brand
     WHERE brand_id = :brand AND has_list
    UNION ALL
    SELECT 'member', id, role, NULL, NULL, NULL FROM member
     WHERE brand_id = :brand AND id = ANY(:members) AND state = 'registered'
    UNION ALL
    SELECT 'account', id, extension, NULL, NULL, is_deleted FROM named
    UNION ALL
    SELECT 'installation', extension, party, state, NULL, NULL FROM installation
     WHERE brand_id = :brand AND extension IN (SELECT extension FROM use)
    UNION ALL
    SELECT 'grant', held.account_id, held.member, held.level, held.until, NULL
      FROM pair JOIN access_grant held
        ON held.brand_id = :brand AND held.account_id = pair.account_id
       AND held.member = pair.member AND held.state = 'granted'
    UNION ALL
    SELECT 'enablement', held.extension, held.member, NULL, NULL, NULL
      FROM use JOIN enablement held
        ON held.brand_id = :brand AND held.extension = use.extension
       AND held.member = use.member AND held.state = 'enabled'
    UNION ALL
    SELECT 'moment', {REVISION}::text, pg_current_snapshot()::text, NULL, NULL,
           EXISTS (SELECT FROM change WHERE brand_id = :brand AND {SINCE})
""").bindparams(  # noqa: S608  our own words
    *(
        bindparam(name, type_=ARRAY(Text()))
        for name in ("account_ids", "account_members", "extensions", "extension_members", "members")
    )
)


@dataclass(slots=True)
class Wanted:
    """What facts are wanted for: pairs of an account or an extension, and a member."""

    accounts: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    extensions: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


@dataclass(frozen=True, slots=True)
class Known:
    """Facts, and the revision that they are at least of."""

    facts: Facts
    revision: int
    snapshot: Snapshot
    """That which they were read by."""
    has_changed: bool
    """Whether the brand has changed since the snapshot that was named."""


async def load_facts(
    connection: AsyncConnection, brand: str, wanted: Wanted, seen: Snapshot | None = None
) -> Known:
    """Return what decides about these pairs, in one statement, however many there are.

    With `seen` it also says whether the brand has changed since that snapshot.

    `revision` is the last id that the outbox has given to a message, read after the statement's
    snapshot was taken. Whatever the snapshot shows was committed before, and had drawn its ids
    before that: so none of it has a higher one, and the number only rises. It is the service's,
    not the brand's, and some id below it may be of a transaction that has not committed yet:
    ask with it to get an answer at least as new as this one; it does not say that all below it
    was seen.
    """
    accounts = _with_everyone(wanted.accounts)
    extensions = _with_everyone(wanted.extensions)
    rows = await connection.execute(
        _LOAD,
        {
            "brand": brand,
            "seen": seen and seen.text,
            "account_ids": [account_id for account_id, _ in accounts],
            "account_members": [member for _, member in accounts],
            "extensions": [extension for extension, _ in extensions],
            "extension_members": [member for _, member in extensions],
            "members": sorted({member for _, member in (*accounts, *extensions)}),
        },
    )
    facts, revision, snapshot, has_changed = Facts(), 0, Snapshot(""), False
    for kind, name, one, other, until, flag in rows:
        match kind:
            case "list":
                facts.has_list = True
            case "member":
                facts.members[name] = one
            case "account":
                facts.accounts[name] = AccountFact(extension=one, is_deleted=flag)
            case "installation":
                facts.installations[name] = InstallationFact(party=one, state=other)
            case "grant":
                facts.grants.setdefault(name, {})[one] = Grant(level=other, until=until)
            case "enablement":
                facts.enablements.setdefault(name, set()).add(one)
            case _:
                revision, snapshot, has_changed = int(name), Snapshot(one), bool(flag)
    return Known(facts, revision, snapshot, has_changed=has_changed)


def _with_everyone(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    named = set(pairs)
    return sorted(named | {(what, EVERYONE) for what, _ in named})
