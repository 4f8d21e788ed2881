"""What is different between two reviews, in sentences: what widens, and what becomes narrower."""

from collections.abc import Iterable
from dataclasses import dataclass

from keyturn_contracts.catalog import LegalDocument

from services.installation.rules.domain import covers
from services.installation.rules.review import Review, ReviewedDomain

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
    accepted, since two patterns cannot be compared. Doing it again changes nothing.
    """
    if in_force.party != newest.party:
        return in_force
    asked = {one.data for one in newest.permissions}
    return in_force.model_copy(
        update={
            "domains": _narrowed_domains(in_force.domains, newest.domains),
            "permissions": tuple(one for one in in_force.permissions if one.data in asked),
            "may_add_domains": in_force.may_add_domains and newest.may_add_domains,
            "preview": in_force.preview if newest.is_preview else None,
        }
    )


def _narrowed_domains(
    accepted: Iterable[ReviewedDomain], asked: Iterable[ReviewedDomain]
) -> tuple[ReviewedDomain, ...]:
    newest = {one.rule: one for one in asked}
    kept: dict[str, ReviewedDomain] = {}
    for one in accepted:
        same = newest.get(one.rule)
        if same is not None and same.blocked_because is not None:
            kept[one.rule] = same
        elif same is not None or any(_is_within(one, theirs) for theirs in newest.values()):
            kept[one.rule] = one
        else:
            # What was accepted is wider: of it only that which is still asked for.
            within = (theirs for theirs in newest.values() if _is_within(theirs, one))
            kept |= {theirs.rule: theirs for theirs in within}
    return tuple(kept.values())


def _publisher(before: Review, after: Review) -> Iterable[str]:
    if after.party == "third" and before.party == "first":
        yield f"It is no longer the platform's own: {after.by} publishes it."
    elif after.by != before.by:
        yield f"It is published by {after.by}, and no longer by {before.by}."


def _is_within(one: ReviewedDomain, other: ReviewedDomain) -> bool:
    """Tell whether all that `one` reaches is reached by another rule, which has no slots."""
    return one.is_reached and other.is_reached and covers(other.rule, one.rule)


def _wider_domains(before: Review, after: Review) -> Iterable[str]:
    known = {one.rule: one for one in before.domains}
    for one in after.domains:
        same = known.get(one.rule)
        if one.blocked_because is not None:
            continue
        if same is None or same.blocked_because is not None:
            if not any(_is_within(one, theirs) for theirs in before.domains):
                yield f"It may connect to {one.shown}: {one.purpose}"
                yield from _wide(one)
        elif _filling(one) != _filling(same):
            yield f"What accounts may fill into {one.shown} is different."
        elif one.wide_because != same.wide_because:
            yield from _wide(one)


def _filling(one: ReviewedDomain) -> tuple[object, ...]:
    """Return all that decides which hosts accounts' settings make of it."""
    return one.slots, one.derived, one.defaults


def _wide(one: ReviewedDomain) -> Iterable[str]:
    if one.wide_because is not None:
        yield f"Below {one.shown} several owners live. It needs that because: {one.wide_because}"


def _narrower_domains(before: Review, after: Review) -> Iterable[str]:
    known = {one.rule: one for one in after.domains}
    for one in before.domains:
        same = known.get(one.rule)
        is_asked = same is not None and same.blocked_because is None
        if one.blocked_because is None and not (
            is_asked or any(_is_within(one, theirs) for theirs in after.domains)
        ):
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
