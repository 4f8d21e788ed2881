"""Who becomes an owner without being made one: who added the account, or the administrators."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from keyturn_contracts.access import HowGranted, MemberId
from keyturn_contracts.rights import Facts, owners
from pydantic import TypeAdapter, ValidationError

from services.access.rules.grant import NOBODY, Grant

_MEMBER_ID: TypeAdapter[str] = TypeAdapter(MemberId)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unowned:
    """An account that may have no owner."""

    account_id: str
    creator: str
    is_created: bool
    """Its creator has had their turn: they were made an owner, or could not become one."""
    is_deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What becomes of it."""

    grants: Mapping[str, Grant]
    """By member, the owners that it gets."""
    is_to_own: bool
    """Nobody can own it now: it waits for an administrator."""


def decide_ownership(
    account: Unowned, facts: Facts, at: datetime, *, awaited: Collection[str] = ()
) -> Ownership:
    """Say who owns an account from now on; `facts` hold every administrator of the brand.

    `awaited` are those of its creator and its owners who were never on the list: a list may come in
    several commands, and what they own counts from the one that names them.

    Its creator, once, and if they are a member or awaited. Where nobody owns it then and no owner
    is awaited, all administrators on the brand's list; where there are none, it waits.
    """
    if account.is_deleted:
        return Ownership(grants={}, is_to_own=False)
    grants = facts.grants.get(account.account_id, {})
    if not account.is_created and _may_own(account.creator, facts, awaited):
        grant = grants.get(account.creator)
        is_owner = grant is not None and grant.level == "owner" and grant.until is None
        given = {} if is_owner else {account.creator: _owner("created", account.creator, at)}
        return Ownership(grants=given, is_to_own=False)
    is_awaited = any(
        grants[one].level == "owner" and grants[one].holds_at(at)
        for one in grants.keys() & set(awaited)
    )
    # What they own is looked at once more when it ends.
    if is_awaited or owners(facts, account.account_id, at):
        return Ownership(grants={}, is_to_own=False)
    administrators = sorted(id_ for id_, role in facts.members.items() if role == "administrator")
    given = {one: _owner("handed_over", NOBODY, at) for one in administrators}
    return Ownership(grants=given, is_to_own=not given)


def _owner(how: HowGranted, by: str, at: datetime) -> Grant:
    return Grant(level="owner", how=how, by=by, since=at)


def _may_own(creator: str, facts: Facts, awaited: Collection[str]) -> bool:
    """Tell whether they can; who could not even be on a list has no access and owns nothing."""
    try:
        _MEMBER_ID.validate_python(creator)
    except ValidationError:
        return False
    return facts.is_member(creator) or creator in awaited
