"""The brand's own domains of an extension: added and removed, several at once, a verdict each."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from keyturn_contracts.domains import SUFFIX_LIST_VERSION, DomainError
from keyturn_contracts.installation import (
    MAX_ADDED,
    AddDomains,
    AddDomainsReason,
    AddedDomain,
    DomainsChanged,
    RemoveDomains,
    RemoveDomainsReason,
)
from keyturn_contracts.message import Verdict

from services.installation.rules.domain import Coverage, read_added
from services.installation.rules.entitlement import installed, refuse_others
from services.installation.rules.installation import (
    Desk,
    DomainChange,
    Installation,
    event_about,
    with_reach,
)
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked

_MOST_BYTES = 160 * 1024
"""How long all added domains are together at most, as they stand in an event."""
_FULL = "The list is full: remove what is no longer needed, or name what is above with `*.`."
_QUOTED = 3
"""How many domains a refusal of all of them speaks of."""


def decide_addition(
    desk: Desk | None, asked: Asked[AddDomains]
) -> Decision[Desk, AddDomainsReason]:
    """Add what may be added; what a declared or an added rule covers already is unchanged."""
    command, desk = asked.command, desk or Desk(installation=None)
    if refused := refuse_others(asked.actor):
        return refused
    before = installed(desk, command.extension)
    if isinstance(before, Refused):
        return before
    if not before.in_force.may_add_domains:
        return Refused(
            "domains_fixed",
            f"The domains of {before.in_force.name} are its publisher's: none can be added.",
        )
    added, verdicts = _add_all(before, asked, desk.policy.private)
    return _conclude(desk, before, replace(before, added=added), verdicts, asked)


def decide_removal(
    desk: Desk | None, asked: Asked[RemoveDomains]
) -> Decision[Desk, RemoveDomainsReason]:
    """Remove what the brand added, also where no more can be added; what is declared stays."""
    command, desk = asked.command, desk or Desk(installation=None)
    if refused := refuse_others(asked.actor):
        return refused
    before = installed(desk, command.extension)
    if isinstance(before, Refused):
        return before
    left = {one.rule: one for one in before.added}
    declared = {one.rule for one in before.in_force.domains}
    private = desk.policy.private
    found = [_remove(text, left, declared, private) for text in command.domains]
    verdicts = [one for one in found if one is not None]
    after = replace(before, added=tuple(left.values()))
    return _conclude(desk, before, after, verdicts, asked)


def _add_all(
    installation: Installation, asked: Asked[AddDomains], private: frozenset[str]
) -> tuple[tuple[AddedDomain, ...], list[Verdict]]:
    added, verdicts = [*installation.added], list[Verdict]()
    covered = Coverage(
        [
            *(one.rule for one in installation.in_force.domains if one.is_reached),
            *(one.rule for one in added),
        ]
    )
    size = sum(len(one.to_json()) for one in added)
    for text in asked.command.domains:
        rule = read_added(text, private)
        if isinstance(rule, DomainError):
            verdicts.append(_refused(text, rule.problem, rule.message))
            continue
        if covered.covers(rule):
            verdicts.append(_unchanged(text, "already_there", "It may be reached already."))
            continue
        one = AddedDomain(
            rule=str(rule),
            by=asked.actor.subject,
            reason=asked.command.reason,
            at=asked.at,
            suffix_list=SUFFIX_LIST_VERSION,
        )
        size += len(one.to_json())
        if len(added) == MAX_ADDED or size > _MOST_BYTES:
            size -= len(one.to_json())
            verdicts.append(_refused(text, "too_many", _FULL))
            continue
        added.append(one)
        covered.add(rule)
    return tuple(added), verdicts


def _remove(
    text: str, left: dict[str, AddedDomain], declared: set[str], private: frozenset[str]
) -> Verdict | None:
    read = read_added(text, private)
    # What was added while other rules held is named as the list shows it.
    names = [text] if isinstance(read, DomainError) else [text, str(read)]
    for name in names:
        if left.pop(name, None) is not None:
            return None
    if any(name in declared for name in names):
        return _refused(text, "declared", "The extension declares it: it cannot be removed.")
    if isinstance(read, DomainError):
        return _refused(text, read.problem, read.message)
    return _unchanged(text, "not_there", "It is not on the list of what your brand added.")


def _conclude(
    desk: Desk,
    before: Installation,
    after: Installation,
    verdicts: Sequence[Verdict],
    asked: Asked[AddDomains] | Asked[RemoveDomains],
) -> Applied[Desk] | Unchanged[Desk] | Refused[Desk, Literal["domains_refused"]]:
    if after == before:
        if any(one.verdict == "unchanged" for one in verdicts):
            return Unchanged("It was so already; nothing was changed.", verdicts=verdicts)
        return Refused("domains_refused", _sentence_of(verdicts))
    after = with_reach(after)
    changes = (*desk.changes, *_changes(before, after, asked))
    return Applied(
        replace(desk, installation=after, changes=changes),
        (event_about(DomainsChanged, after),),
        verdicts=verdicts,
    )


def _changes(
    before: Installation, after: Installation, asked: Asked[AddDomains] | Asked[RemoveDomains]
) -> Iterable[DomainChange]:
    is_adding = isinstance(asked.command, AddDomains)
    more, less = (after, before) if is_adding else (before, after)
    others = {one.rule for one in less.added}
    for one in more.added:
        if one.rule not in others:
            yield DomainChange(
                rule=one.rule,
                what="added" if is_adding else "removed",
                issuer=asked.actor.issuer,
                by=asked.actor.subject,
                reason=asked.command.reason,
                at=asked.at,
                revision=after.domains_revision,
                suffix_list=SUFFIX_LIST_VERSION,
            )


def _sentence_of(verdicts: Sequence[Verdict]) -> str:
    said = [f"{one.subject.removeprefix('domains/')}: {one.message}" for one in verdicts[:_QUOTED]]
    rest = len(verdicts) - len(said)
    return " ".join([*said, f"And {rest} more were refused."] if rest else said)


def _refused(text: str, code: str, sentence: str) -> Verdict:
    return Verdict(subject=f"domains/{text}", verdict="refused", reason=code, message=sentence)


def _unchanged(text: str, code: str, sentence: str) -> Verdict:
    return Verdict(subject=f"domains/{text}", verdict="unchanged", reason=code, message=sentence)
