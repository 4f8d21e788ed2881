"""What is different between two reviews, in sentences: what widens, and what becomes narrower."""

from collections.abc import Iterable
from dataclasses import dataclass

from keyturn_contracts.catalog import LegalDocument

from services.installation.rules.domain import Coverage, within
from services.installation.rules.review import MOST_DECLARED, Review, ReviewedDomain, how_many_fit
from services.installation.rules.width import ANY_HOST

_NAMED = 50
"""How many sentences are given; of the rest it is said how many they are."""
_LONGEST = 300
"""How many characters a sentence has at most: what a publisher wrote may be longer."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`widens` needs to be accepted; `narrows` holds at once, and so does what is in neither."""

    widens: tuple[str, ...] = ()
    narrows: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        return (*self.widens, *self.narrows)


def compare(before: Review, after: Review) -> Difference:
    """Say what an extension's `after` asks for beyond `before`, and what it no longer asks for.

    A changed purpose of a permission, reason of a wide wildcard, publisher, text of terms or of
    privacy policy counts as wider: it is another thing to accept. A changed purpose of a plain
    domain is neither: the same addresses are reached.
    """
    widens = [
        *_publisher(before, after),
        *_wider_domains(before, after),
        *_wider_permissions(before, after),
        *_legal("privacy policy", before.privacy_policy, after.privacy_policy),
        *_legal("terms of use", before.terms, after.terms),
    ]
    narrows = [*_narrower_domains(before, after), *_narrower_permissions(before, after)]
    if after.may_add_domains and not before.may_add_domains:
        widens.append("Your brand may add domains of its own.")
    if before.may_add_domains and not after.may_add_domains:
        narrows.append(
            "Your brand may no longer add domains of its own; those that it added are blocked."
        )
    if after.is_preview and not before.is_preview:
        widens.append("It is a preview now: nobody has certified it.")
    if before.is_preview and not after.is_preview:
        narrows.append("It is certified now, and no preview any more.")
    return Difference(_first(widens), _first(narrows))


def what_changed(before: Review, after: Review) -> tuple[str, ...]:
    """Return every difference for somebody who looked at `before`; at least one sentence."""
    if found := compare(before, after).sentences:
        return found
    if before.version == after.version:
        return ("It is worded differently; what you accept is the same.",)
    return (f"Version {after.version} is here now; what you accept is as in {before.version}.",)


def narrowed(in_force: Review, newest: Review) -> Review:
    """Return what is in force without all that the newest version no longer asks for.

    Its version stays: nothing beyond it was accepted. A slot whose pattern changed stays as it was
    accepted, since two patterns cannot be compared. Doing it again changes nothing. At most
    as many domains are left as an event has room for; the rest has to be accepted again.
    """
    if in_force.party != newest.party:
        return in_force
    asked = {one.data for one in newest.permissions}
    return in_force.model_copy(
        update={
            "domains": _narrowed_domains(in_force, newest),
            "permissions": tuple(one for one in in_force.permissions if one.data in asked),
            "may_add_domains": in_force.may_add_domains and newest.may_add_domains,
            "preview": in_force.preview if newest.is_preview else None,
        }
    )


def _narrowed_domains(accepted: Review, asked: Review) -> tuple[ReviewedDomain, ...]:
    newest = _by_rule(asked)
    reached = [one.rule for one in newest.values() if one.is_reached]
    coverage = Coverage(reached)
    before = _first_domains(accepted)
    asked_within = within((one.rule for one in before if one.is_reached), reached)
    kept: dict[str, ReviewedDomain] = {}
    for one in before:
        same = newest.get(one.rule)
        if same is not None and same.blocked_because is not None:
            kept[one.rule] = same
        elif same is not None or _is_within(one, coverage):
            kept[one.rule] = one
        elif one.is_reached:
            # What was accepted is wider: of it only that which is still asked for.
            kept |= {rule: newest[rule] for rule in asked_within[one.rule]}
    # Hosts that take a wildcard's place are more with each version: an event has to fit a message.
    left = tuple(kept.values())
    return left[: how_many_fit(left)]


def _first_domains(review: Review) -> tuple[ReviewedDomain, ...]:
    """Return those that may be in force: what was put on record may be any number."""
    return review.domains[:MOST_DECLARED]


def _by_rule(review: Review) -> dict[str, ReviewedDomain]:
    return {one.rule: one for one in _first_domains(review)}


def _coverage_of(review: Review) -> Coverage:
    return Coverage(one.rule for one in _first_domains(review) if one.is_reached)


def _is_within(one: ReviewedDomain, coverage: Coverage) -> bool:
    """Tell whether all that it reaches is reached by another rule, which has no slots."""
    return one.is_reached and coverage.covers_stored(one.rule)


def _publisher(before: Review, after: Review) -> Iterable[str]:
    if after.party == "third" and before.party == "first":
        yield f"It is no longer the platform's own: {after.by} publishes it."
    elif after.by != before.by:
        yield f"It is published by {after.by}, and no longer by {before.by}."


def _wider_domains(before: Review, after: Review) -> Iterable[str]:
    known, coverage = _by_rule(before), _coverage_of(before)
    for one in _first_domains(after):
        same = known.get(one.rule)
        if one.blocked_because is not None:
            continue
        if same is None or same.blocked_because is not None:
            if not _is_within(one, coverage):
                yield f"It may connect to {one.shown}: {one.purpose}"
                yield from _wide(one)
        elif _filling(one) != _filling(same):
            yield f"What accounts may fill into {one.shown} is different."
            if one.wide != same.wide:
                yield from _wide(one)
        elif one.wide_because != same.wide_because:
            yield from _wide(one)


def _filling(one: ReviewedDomain) -> tuple[object, ...]:
    """Return all that decides which hosts accounts' settings make of it."""
    return one.slots, one.derived, one.defaults


def _wide(one: ReviewedDomain) -> Iterable[str]:
    if one.wide == ANY_HOST:
        why = f" It needs that because: {one.wide_because}" if one.wide_because else ""
        yield f"{one.shown} is {ANY_HOST}.{why}"
    elif one.wide_because is not None:
        yield f"Below {one.shown} several owners live. It needs that because: {one.wide_because}"


def _narrower_domains(before: Review, after: Review) -> Iterable[str]:
    known, coverage = _by_rule(after), _coverage_of(after)
    for one in _first_domains(before):
        same = known.get(one.rule)
        is_asked = same is not None and same.blocked_because is None
        if one.blocked_because is None and not (is_asked or _is_within(one, coverage)):
            yield f"It may no longer connect to {one.shown}."


def _wider_permissions(before: Review, after: Review) -> Iterable[str]:
    accepted = {one.data for one in before.permissions}
    for one in after.permissions:
        if one.data not in accepted:
            yield f"It may read {one.data}: {one.purpose}"
        elif one not in before.permissions:
            yield f"It reads {one.data} for another purpose: {one.purpose}"


def _narrower_permissions(before: Review, after: Review) -> Iterable[str]:
    asked = {one.data for one in after.permissions}
    for one in before.permissions:
        if one.data not in asked:
            yield f"It may no longer read {one.data}."


def _legal(what: str, before: LegalDocument | None, after: LegalDocument | None) -> Iterable[str]:
    if before == after:
        return
    if after is None:
        yield f"It has no {what} any more."
    else:
        yield f"Its {what} changed: version {after.version}, {after.url}"


def _first(sentences: list[str]) -> tuple[str, ...]:
    if len(sentences) <= _NAMED:
        return tuple(map(_shortened, sentences))
    rest = len(sentences) - (_NAMED - 1)
    return (*map(_shortened, sentences[: _NAMED - 1]), f"And {rest} more differences.")


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…"
