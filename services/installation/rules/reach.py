"""Which addresses may be reached: what is declared, what the brand added, what accounts fill in."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keyturn_contracts.installation import MAX_HOSTS, AccountHost
from keyturn_contracts.templates import fill_first

from services.installation.rules.domain import Filler
from services.installation.rules.review import ReviewedDomain

_MOST_BYTES = 120 * 1024
"""How long all names of hosts are together at most: an event has to fit a message."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The same settings of one or more accounts of an extension."""

    values: Mapping[str, str]
    accounts: int = 1


@dataclass(frozen=True, slots=True)
class Hosts:
    """Exact addresses that accounts give, and how many more are blocked for want of room."""

    kept: tuple[AccountHost, ...] = ()
    left_out: int = 0


def hosts_of(
    domains: Iterable[ReviewedDomain],
    accounts: Iterable[Settings],
    known: Iterable[AccountHost],
    private: frozenset[str],
) -> Hosts:
    """Return the hosts that these accounts' settings give to the slots of these domains.

    A setting that is left out has the default that was accepted with the domain, if there is one.
    A value that does not match its slot's pattern, or gives no address that may be, gives nothing.
    Where there are too many, those that are `known` keep their places: a new account does not take
    an old one's host away.
    """
    given: Counter[str] = Counter()
    alike = _filled_alike(one for one in domains if one.slots and one.blocked_because is None)
    filler = Filler(private)
    for account in accounts:
        hosts = {host for some in alike for host in _fill(some, account, filler)}
        given.update(dict.fromkeys(hosts, account.accounts))
    before = {one.rule for one in known}
    kept: list[str] = []
    size = 0
    for host in sorted(given, key=lambda one: (one not in before, one)):
        size += len(host)
        if len(kept) == MAX_HOSTS or size > _MOST_BYTES:
            break
        kept.append(host)
    return Hosts(
        tuple(AccountHost(rule=one, accounts=given[one]) for one in sorted(kept)),
        left_out=len(given) - len(kept),
    )


def effective(
    domains: Iterable[ReviewedDomain], added: Sequence[str], hosts: Iterable[AccountHost]
) -> tuple[str, ...]:
    """Return every rule once: declared, then added, then hosts. None: everything is blocked."""
    rules = [one.rule for one in domains if one.is_reached]
    return tuple(dict.fromkeys([*rules, *added, *(one.rule for one in hosts)]))


def _filled_alike(domains: Iterable[ReviewedDomain]) -> list[list[ReviewedDomain]]:
    """Part domains by what fills their slots: an account's values are made once for each part."""
    parts: defaultdict[tuple[tuple[object, ...], ...], list[ReviewedDomain]] = defaultdict(list)
    for one in domains:
        filling = (one.slots, one.derived, one.defaults)
        parts[tuple(tuple(sorted(some.items())) for some in filling)].append(one)
    return list(parts.values())


def _fill(alike: Sequence[ReviewedDomain], account: Settings, filler: Filler) -> Iterator[str]:
    first = alike[0]
    # An account keeps what was given alone: of the rest, what was accepted with the domain holds.
    settings = {**first.defaults, **account.values}
    values: dict[str, str] = {}
    for name in first.slots:
        value = _value(name, first, settings)
        if value is None:
            return
        values[name] = value
    if not filler.is_match(first.slots, values):
        return
    for one in alike:
        host = filler.fill(one.rule, one.slots, values, wide_because=one.wide_because)
        if host is not None:
            yield host


def _value(name: str, domain: ReviewedDomain, settings: Mapping[str, str]) -> str | None:
    if name not in domain.derived:
        return settings.get(name) or None
    return fill_first(domain.derived[name], settings)
