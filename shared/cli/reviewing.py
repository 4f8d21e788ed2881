"""A review in lines: for an administrator, all that is accepted with its digest.

Whatever others wrote ends its line, behind what it is; nothing that they wrote begins one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.cli.output import Row, text_of

_TOLD = frozenset(
    (
        *("extension", "version", "name", "by", "party", "preview", "domains", "may_add_domains"),
        *("permissions", "privacy_policy", "terms"),
    )
)
_TOLD_OF_A_DOMAIN = frozenset(
    (
        *("rule", "shown", "purpose", "slots", "derived", "defaults"),
        *("wide", "wide_because", "blocked_because"),
    )
)
_TOLD_OF_A_PERMISSION = frozenset(("data", "purpose"))
_TOLD_OF_A_DOCUMENT = frozenset(("url", "version"))


def review_lines(shown: Row) -> Iterator[str]:
    """Yield what installing an extension accepts, or accepting its newest version.

    A service that is newer than this command line may review more: that is told as it is named.
    """
    review: Row = shown["review"]
    yield f"Extension: {review['extension']}, version {review['version']}"
    yield f"Name: {review['name']}"
    yield f"By: {review['by']}"
    yield f"Party: {review['party']}"
    if warning := review.get("preview"):
        yield f"Preview: {warning}"
    yield from _rest(review, _TOLD, "")
    yield from _reach_lines(review, shown.get("note"))
    yield "It may read:"
    for one in review["permissions"]:
        yield f"  {one['data']}: {one['purpose']}"
        yield from _rest(one, _TOLD_OF_A_PERMISSION, "    ")
    if not review["permissions"]:
        yield "  nothing of the brand's data."
    for title, name in (("Privacy policy", "privacy_policy"), ("Terms", "terms")):
        if document := review.get(name):
            yield f"{title}: {document['url']}, version {document['version']}"
            yield from _rest(document, _TOLD_OF_A_DOCUMENT, "  ")
    yield from _change_lines(shown.get("changes"))


def _reach_lines(review: Row, note: str | None) -> Iterator[str]:
    yield "It may connect to:"
    for domain in review["domains"]:
        yield from _domain_lines(domain)
    if note:
        yield f"  {note}"
    if review["may_add_domains"]:
        yield "  and to what administrators of the brand add."


def _change_lines(changes: Mapping[str, Sequence[str]] | None) -> Iterator[str]:
    """Yield what is different from what is in force, where something is."""
    for title, name in (("New", "widens"), ("Gone", "narrows")):
        for change in changes[name] if changes else ():
            yield f"{title}: {change}"


def _domain_lines(domain: Row) -> Iterator[str]:
    yield f"  {domain['shown']}"
    if domain["rule"] not in domain["shown"]:
        yield f"    written: {domain['rule']}"
    yield f"    for: {domain['purpose']}"
    derived: Mapping[str, Sequence[str]] = domain.get("derived") or {}
    slots: Mapping[str, str] = domain.get("slots") or {}
    for name, pattern in slots.items():
        if templates := derived.get(name):
            yield f"    {{{name}}} is the first of these that an account's settings complete:"
            for template in templates:
                yield f"      {template}"
        else:
            yield f"    {{{name}}} is the setting {name} of each account"
        yield f"      and has to match: {pattern}"
    defaults: Mapping[str, str] = domain.get("defaults") or {}
    for name, value in defaults.items():
        yield f"    where an account leaves out {name}, it is: {value}"
    if wide := domain.get("wide"):
        yield f"    wide: it reaches {wide}"
    if why := domain.get("wide_because"):
        yield f"    so wide because: {why}"
    if why := domain.get("blocked_because"):
        yield f"    not reached: {why}"
    yield from _rest(domain, _TOLD_OF_A_DOMAIN, "    ")


def _rest(part: Mapping[str, Any], told: frozenset[str], inside: str) -> Iterator[str]:
    for name, value in part.items():
        if name not in told:
            yield f"{inside}{name.replace('_', ' ')}: {text_of(value)}"
