"""Whatever is announced, a copy decides as the rule does over the newest of everything."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import product
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from keyturn_client.replica.access import AccessCopy
from keyturn_client.replica.installations import Installations
from keyturn_client.wire import Record
from keyturn_contracts.access import (
    EVERYONE,
    EnablementChanged,
    GrantChanged,
    MemberChanged,
)
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.installation import ExtensionSuspended, InstallationChanged
from keyturn_contracts.message import Event
from keyturn_contracts.rights import (
    AccountFact,
    Action,
    Decision,
    Facts,
    Grant,
    InstallationFact,
    decide,
    decide_extension,
    owners,
)

from tests.client.replicas import (
    BRAND,
    LOUD,
    NOON,
    account,
    announced,
    deleted,
    disabled,
    enabled,
    granted,
    installed,
    read,
    registered,
    removed,
    revoked,
)

MEMBERS = ("ada", "bob")
ACCOUNTS = {"mail": LOUD, "relay": "smtp-relay"}
WHOM = (*MEMBERS, EVERYONE)
MOMENTS = [NOON - timedelta(hours=1), NOON, NOON + timedelta(hours=1)]
UNTIL = [None, *MOMENTS]


def everything() -> Iterator[Event]:
    """Return all that may be announced here."""
    for member in MEMBERS:
        yield from (registered(member), registered(member, "administrator"), removed(member))
    for account_id, extension in ACCOUNTS.items():
        yield from (account(account_id, extension), deleted(account_id, extension))
        for member, until in product(WHOM, UNTIL):
            yield granted(member, account_id, until=until)
        for member, until in product(MEMBERS, UNTIL):
            yield granted(member, account_id, level="owner", until=until)
        yield from (revoked(member, account_id) for member in WHOM)
    for extension, party in ((LOUD, "third"), ("smtp-relay", "first")):
        yield installed(extension, party=party)
        for state in ("suspended", "uninstalling", "uninstalled"):
            yield installed(extension, party=party, kind=ExtensionSuspended, state=state)
        for member in WHOM:
            yield from (enabled(member, extension), disabled(member, extension))


POOL = list(everything())
USABLE = [account(), installed(), enabled(), granted("bob")]
"""From where one event takes away what there is."""
Announced = tuple[Event, int, int]
"""An event with its epoch and its sequence."""


@st.composite
def histories(draw: st.DrawFn) -> list[Announced]:
    """Return announcements as a topic has them: each key's in order, and runs of them repeated."""
    epoch, sequences = 1, dict[str, int]()
    log: list[Announced] = []
    usable = USABLE if draw(st.booleans()) else []
    for event in [*usable, *draw(st.lists(st.sampled_from(POOL), max_size=40))]:
        if draw(st.integers(0, 19)) == 0:
            # A service was restored from a backup: its sequences begin anew.
            epoch, sequences = epoch + 1, {}
        key = str(event.key(BRAND))
        sequences[key] = sequences.get(key, 0) + 1
        log.append((event, epoch, sequences[key]))
        if draw(st.integers(0, 4)) == 0:
            log += log[-draw(st.integers(1, 8)) :]
    return log


def facts_of(events: Iterable[Event]) -> Facts:
    """Return what is so after these, of each key the newest."""
    facts = Facts()
    for event in events:
        match event:
            case MemberChanged():
                facts.has_list = True
                if event.state == "registered":
                    facts.members[event.member_id] = event.role
            case AccountChanged():
                fact = AccountFact(event.extension, is_deleted=event.state == "deleted")
                facts.accounts[event.account_id] = fact
            case InstallationChanged():
                fact = InstallationFact(event.party, event.state)
                facts.installations[event.extension] = fact
            case GrantChanged() if event.state == "granted":
                grants = facts.grants.setdefault(event.account_id, {})
                grants[event.member] = Grant(event.level, event.until)
            case EnablementChanged() if event.state == "enabled":
                facts.enablements.setdefault(event.extension, set()).add(event.member)
            case _:
                pass
    return facts


def decisions(facts: Facts) -> list[Decision | frozenset[str]]:
    """Return the answer to every question there is, and who owns what."""
    found: list[Decision | frozenset[str]] = []
    for moment, account_id in product(MOMENTS, (*ACCOUNTS, "unknown")):
        found.append(owners(facts, account_id, moment))
        for member, action in product(MEMBERS, get_args(Action)):
            found.append(decide(facts, member, action, account_id, moment))
    found += [decide_extension(facts, *one) for one in product(MEMBERS, (LOUD, "smtp-relay"))]
    return found


class Copy:
    def __init__(self) -> None:
        self.installations = Installations(BRAND)
        self.access = AccessCopy(BRAND, self.installations.facts, 1000)

    def hear(self, *records: Record) -> None:
        batch = [read(one) for one in records]
        self.installations.hear(batch)
        self.access.hear(batch)


@given(histories(), histories())
def test_at_every_moment_it_decides_as_the_rule_does_over_the_newest_of_everything(
    history: list[Announced], twins: list[Announced]
) -> None:
    copy, newest = Copy(), dict[str, Announced]()
    # Another brand announces the same things in between.
    other = iter(announced(one, "twin", epoch=e, sequence=n) for one, e, n in twins)
    for heard in history:
        event, epoch, sequence = heard
        copy.hear(*(one for one in [next(other, None)] if one is not None))
        copy.hear(announced(event, epoch=epoch, sequence=sequence))
        key = str(event.key(BRAND))
        newest[key] = max(newest.get(key, heard), heard, key=lambda one: one[1:])

        assert decisions(copy.access.facts) == decisions(
            facts_of(one[0] for one in newest.values())
        )
    assert not copy.access.unreadable
    assert not copy.installations.unreadable


@given(histories().flatmap(st.permutations), st.integers(1, 7))
def test_in_whichever_order_topics_and_partitions_are_read_the_end_is_the_same(
    history: list[Announced], at_once: int
) -> None:
    newest = {str(one[0].key(BRAND)): one for one in sorted(history, key=lambda one: one[1:])}
    records = [announced(event, epoch=e, sequence=n) for event, e, n in history]
    copy = Copy()
    for begin in range(0, len(records), at_once):
        copy.hear(*records[begin : begin + at_once])

    told = [one[0] for one in newest.values()]
    assert decisions(copy.access.facts) == decisions(facts_of(told))
    kept = [one for one in told if not isinstance(one, InstallationChanged)]
    assert copy.access.kept == len(kept)
