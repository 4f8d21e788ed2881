"""When an earlier version is retired, and what is left when it has been."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keyturn_contracts.credential_vault import CredentialsRetired

from services.credential_vault.rules.account import Account, Desk, event_about
from services.credential_vault.rules.audit import VAULT
from shared.decisions import Applied, Unchanged

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The newest rollout of an account that workflow has completed, as the vault heard of it."""

    version: int
    account_epoch: int
    """The epoch of the account's event that opened the rollout."""
    read_at: datetime
    """When the vault read it: pauses count from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """Versions whose credentials are gone at their provider, each with its worker's claim."""

    claims: Mapping[int, str]
    at: datetime


def pause_of(retire: str) -> timedelta:
    """Return how long after its replacement's rollout a version is kept."""
    found = _DURATION.fullmatch(retire)
    if found is None:
        # `when-complete`; `now` has not waited for a completion at all.
        return timedelta(0)
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def plan_retirement(account: Account, completion: Completion, epoch: int) -> Account:
    """Return the account with a time at which each version below a completed rollout is retired.

    A time once settled stays, so rotations that follow each other closely postpone nothing. Of a
    deleted account there is nothing to undo, so no version waits. A completion that belongs to
    another epoch of this service's events, before a restore, says nothing about these versions.
    """
    if completion.account_epoch != epoch or completion.version > account.version:
        return account
    is_gone = account.state == "deleted" and completion.version == account.version
    for one in account.previous:
        if one.number >= completion.version or (one.retire_at is not None and not is_gone):
            continue
        pause = timedelta(0) if is_gone else pause_of(one.retire or account.retire)
        due = completion.read_at + pause
        account = account.with_version(replace(one, retire_at=min(one.retire_at or due, due)))
    return account


def conclude_retirement(desk: Desk, retirement: Retirement) -> Applied[Desk] | Unchanged[Desk]:
    """Retire what is due and still the worker's own; engines that held nothing else are no holders.

    A version that is not due is never retired, whoever says so.
    """
    account = desk.account
    if account is None:
        return Unchanged("The account is not there.")
    retired: set[int] = set()
    for one in account.previous:
        is_due = one.retire_at is not None and one.retire_at <= retirement.at
        if not is_due or one.claim is None or retirement.claims.get(one.number) != one.claim:
            continue
        by = one.ended_by or VAULT
        gone = replace(
            one,
            status="retired",
            ended_at=retirement.at,
            ended_by=by,
            retire_at=None,
        )
        account = account.with_version(gone)
        desk = desk.on_record(
            account,
            at=retirement.at,
            by=by,
            action="retire",
            result="done",
            version=one.number,
        )
        retired.add(one.number)
    if not retired:
        return Unchanged("Nothing of it is due any more.")
    left = replace(
        account, holders=tuple(one for one in account.holders if one.version not in retired)
    )
    return Applied(replace(desk, account=left), (event_about(CredentialsRetired, left),))
