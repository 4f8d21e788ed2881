"""One brand's members, accounts and grants, the same ones every time, and what is asked of them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from keyturn_contracts.access import EVERYONE, Level
from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState
from keyturn_contracts.rights import AccountFact, Action, Facts, Grant, InstallationFact

BRAND = "bench"
OWNER = "ada"
"""Whom all accounts were added by: an administrator, and an owner of each."""
_SEED = 7
"""The same data and questions every time."""
_ADMINISTRATORS = 10
_PATTERN = (
    *("relay", "loud-mail", "quiet-mail") * 2,
    *("relay", "loud-mail", "strict-mail", "gone-mail"),
)
"""Whose accounts there are, in turns."""
_ENABLED = 0.6
_DISABLED_AGAIN = 0.1
_EVERY = 10
"""One account of so many is shared with everyone; one grant of so many runs out, one will."""
_OF_A_GRANT = 0.5
"""As many of the questions are about somebody who was given something."""
_SHARING = 0.1
"""As many ask for an owner's right."""

Ends = Literal["never", "late", "soon"]
"""`late`: it has an end that is far away. `soon`: it has run out when questions are asked."""
Question = tuple[str, Action, str]
"""May this member do that with this account."""


@dataclass(frozen=True, slots=True)
class Extension:
    slug: str
    party: Party
    state: InstallationState
    enabled: tuple[str, ...] = ()
    """Members, or everyone as `*`."""
    disabled: tuple[str, ...] = ()
    """Members for whom it is enabled first and disabled then."""


@dataclass(frozen=True, slots=True)
class Given:
    account_id: str
    member: str
    level: Level
    ends: Ends = "never"


@dataclass(frozen=True, slots=True)
class Moments:
    """When grants end."""

    soon: datetime
    late: datetime

    def of(self, ends: Ends) -> datetime | None:
        return {"never": None, "late": self.late, "soon": self.soon}[ends]


@dataclass(frozen=True)
class Data:
    """What is so of the brand; the accounts and members to be changed stand beside it."""

    administrators: tuple[str, ...]
    """The first is the owner of all accounts."""
    members: tuple[str, ...]
    strangers: tuple[str, ...]
    """They are asked about and are on no list."""
    leavers: tuple[str, ...]
    """Members each of whom loses an account, one after another."""
    crowd: tuple[str, ...]
    """Members who are given one account at once, and lose it at once."""
    extensions: tuple[Extension, ...]
    accounts: dict[str, str]
    """Each account's extension."""
    left: tuple[str, ...]
    """Accounts that the leavers lose, which no question is about."""
    crowded: str
    """The account that the crowd is given."""
    grants: tuple[Given, ...]

    @cached_property
    def listed(self) -> tuple[str, ...]:
        return (*self.administrators, *self.members, *self.leavers, *self.crowd)

    def leaving(self) -> Iterator[tuple[str, str]]:
        """Yield each leaver with the account that they lose."""
        for number, member in enumerate(self.leavers):
            yield member, self.left[number % len(self.left)]

    def facts(self, moments: Moments) -> Facts:
        """Return all of it as the rules have it, without what is to be changed."""
        facts = Facts(has_list=True)
        facts.members = dict.fromkeys(self.listed, "member")
        facts.members |= dict.fromkeys(self.administrators, "administrator")
        for account_id, extension in self.accounts.items():
            facts.accounts[account_id] = AccountFact(extension)
            facts.grants[account_id] = {OWNER: Grant("owner")}
        for one in self.extensions:
            facts.installations[one.slug] = InstallationFact(one.party, one.state)
            facts.enablements[one.slug] = set(one.enabled)
        for one in self.grants:
            grant = Grant(one.level, moments.of(one.ends))
            facts.grants[one.account_id][one.member] = grant
        return facts


def generated_data(*, members: int, accounts: int, grants: int, leavers: int, crowd: int) -> Data:
    """Return a brand with so many members and accounts, and so many grants to each account."""
    chance = random.Random(_SEED)  # noqa: S311  the same ones every time
    people = tuple(f"member-{number:05}" for number in range(members))
    administrators = (OWNER, *(f"admin-{number}" for number in range(1, _ADMINISTRATORS)))
    owned = {f"account-{number:04}": _PATTERN[number % len(_PATTERN)] for number in range(accounts)}
    left = tuple(f"left-{number}" for number in range(min(leavers, 8)))
    crowded = "crowded"
    enabled = chance.sample(people, int(members * _ENABLED))
    disabled = set(enabled[: int(members * _DISABLED_AGAIN)])
    return Data(
        administrators=administrators,
        members=people,
        strangers=tuple(f"stranger-{number}" for number in range(max(1, members // 50))),
        leavers=tuple(f"leaver-{number:04}" for number in range(leavers)),
        crowd=tuple(f"crowd-{number:06}" for number in range(crowd)),
        extensions=(
            Extension("relay", "first", "installed"),
            Extension("loud-mail", "third", "installed", (EVERYONE,)),
            Extension(
                "quiet-mail",
                "third",
                "installed",
                tuple(one for one in enabled if one not in disabled),
                tuple(sorted(disabled)),
            ),
            Extension("strict-mail", "third", "installed"),
            Extension("gone-mail", "first", "suspended"),
        ),
        accounts=owned | dict.fromkeys((*left, crowded), "loud-mail"),
        left=left,
        crowded=crowded,
        grants=tuple(_grants(chance, people, administrators, list(owned), grants)),
    )


def generated_questions(data: Data, count: int) -> list[Question]:
    """Return different questions, at most as many as there are, in an order of chance."""
    chance = random.Random(_SEED)  # noqa: S311  the same ones every time
    people = [*data.administrators, *data.members, *data.strangers]
    accounts = [one for one in data.accounts if one not in {*data.left, data.crowded}]
    given = [one for one in data.grants if one.member != EVERYONE]
    found: dict[Question, None] = {}
    # A draw may be one that was there already: of few there are, all are never found.
    for _ in range(3 * count):
        if len(found) == count:
            break
        action: Action = "share" if chance.random() < _SHARING else "use"
        if chance.random() < _OF_A_GRANT:
            one = chance.choice(given)
            found[one.member, action, one.account_id] = None
        else:
            found[chance.choice(people), action, chance.choice(accounts)] = None
    questions = list(found)
    chance.shuffle(questions)
    return questions


def _grants(
    chance: random.Random,
    people: Sequence[str],
    administrators: Sequence[str],
    accounts: Sequence[str],
    each: int,
) -> Iterator[Given]:
    kinds: dict[int, Ends] = {0: "soon", 1: "late"}
    for number, account_id in enumerate(accounts):
        yield Given(account_id, chance.choice(administrators[1:]), "owner")
        for order, member in enumerate(chance.sample(people, min(each, len(people)))):
            yield Given(account_id, member, "user", kinds.get(order % _EVERY, "never"))
        # Spread over the extensions, which repeat with the same period.
        if number % (_EVERY + 1) == 1:
            yield Given(account_id, EVERYONE, "user")
        elif number % (2 * _EVERY + 1) == 0:
            yield Given(account_id, EVERYONE, "user", "soon")
