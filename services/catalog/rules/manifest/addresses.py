"""Where an extension connects to: its rules, and whether they cover what its probes ask."""

import re
from collections.abc import Collection, Iterator

from keyturn_contracts.catalog import FieldSpec, Manifest
from keyturn_contracts.domains import DomainError, check_template
from keyturn_contracts.domains.patterns import PatternError, read_pattern

from services.catalog.rules.manifest.templates import Names, slots_of, whole_slot, without_slots
from services.catalog.rules.manifest.wording import repeated

_SCHEME = "https://"
_END_OF_AUTHORITY = re.compile(r"[/?#]")
_AUTHORITY = re.compile(r"(?:[a-z0-9_.-]|\{[a-z][a-z0-9_]*\})+(?::(?:[0-9]+|\{[a-z][a-z0-9_]*\}))?")
_DEFAULT_PORT = ":443"
_MOST_FORMS = 30
_LONGEST_FORM = 4000
_LONGEST_AUTHORITY = 500
_TOO_MANY = "is too long, or can take too many forms; use fewer derived values."


def problems_of_domains(manifest: Manifest, private: Collection[str]) -> Iterator[str]:
    known = {one.name for one in (*manifest.settings, *manifest.derived)}
    for twice in repeated(one.rule for one in manifest.domains):
        yield f"domains: {twice} is there twice."
    for domain in manifest.domains:
        for name in sorted(slots_of(domain.rule) - known):
            yield f"domains: {domain.rule} names {name}, which is no setting."
        try:
            check_template(
                domain.rule, domain.slots, private=private, wide_because=domain.wide_because
            )
        except DomainError as error:
            yield f"domains: {domain.rule}: {error.message}"
    yield from _problems_of_hidden_domains(manifest)


def _problems_of_hidden_domains(manifest: Manifest) -> Iterator[str]:
    """Say which domains are no rule of their own, but the value of one that shows a slot alone.

    People accept the list of an extension's domains: what the publisher fixed stands there as it
    is, and not behind a slot that an account's settings seem to fill.
    """
    derived = {one.name: one.first_of for one in manifest.derived}
    for domain in manifest.domains:
        slot = whole_slot(domain.rule.partition(":")[0])
        for template in derived.get(slot or "", ()):
            if any(map(str.isalnum, without_slots(template))):
                yield (
                    f"domains: {domain.rule} can become {template}, which the list of domains "
                    f"would not show: take it out of {slot}, and declare {template} itself."
                )


def problems_of_url(place: str, url: str, manifest: Manifest, names: Names) -> Iterator[str]:
    """Say why the manifest's own rules do not let this URL be asked, in each form it can take."""
    whole = whole_slot(url)
    if whole is not None and whole not in names.derived:
        yield from _problems_of_brands_url(place, whole, manifest, names)
        return
    forms = _forms(url, names)
    if forms is None:
        yield f"{place} {_TOO_MANY}"
        return
    for form in forms:
        if not form.startswith(_SCHEME):
            yield f"{place} has to begin with https://."
            return
        if not _AUTHORITY.fullmatch(_authority(form).lower()):
            yield f"{place} has no host, or more than a host and a port before its path."
            return
    as_written = url.startswith(_SCHEME)
    for one in [url] if as_written else forms:
        yield from problems_of_address(place, _authority(one), manifest, names)


def problems_of_address(
    place: str, authority: str, manifest: Manifest, names: Names
) -> Iterator[str]:
    """Say that no rule covers an address, `host` or `host:port`, whose port is 443 where absent."""
    rules = {one.rule.lower().removesuffix(_DEFAULT_PORT) for one in manifest.domains}
    forms = [authority] if _is_covered(authority, rules) else _forms(authority, names)
    if forms is None or max(map(len, forms)) > _LONGEST_AUTHORITY:
        yield f"{place} {_TOO_MANY}"
        return
    for form in forms:
        if not _is_covered(form, rules) and not _is_the_brands(form, manifest):
            yield f"{place} asks {form}, which none of the extension's domains covers."


def _authority(url: str) -> str:
    return _END_OF_AUTHORITY.split(url.removeprefix(_SCHEME), maxsplit=1)[0]


def _is_covered(authority: str, rules: Collection[str]) -> bool:
    if len(authority) > _LONGEST_AUTHORITY:
        return False
    host, separator, port = authority.lower().removesuffix(_DEFAULT_PORT).partition(":")
    if f"{host}{separator}{port}" in rules:
        return True
    labels = host.split(".")
    # What is below a name has a label before it, which is not empty.
    names = (".".join(labels[at:]) for at in range(1 if labels[0] else 2, len(labels)))
    return any(f"*.{name}{separator}{port}" in rules for name in names)


def _is_the_brands(authority: str, manifest: Manifest) -> bool:
    """Tell whether somebody fills in the whole host, and the brand's own list is what covers it."""
    return manifest.may_add_domains and whole_slot(authority.partition(":")[0]) is not None


def _problems_of_brands_url(
    place: str, name: str, manifest: Manifest, names: Names
) -> Iterator[str]:
    given = names.settings.get(name) or names.fields.get(name)
    if given is None:
        return
    if not _begins_with_scheme(given):
        yield (
            f"{place} is {name}, so the pattern of {name} has to begin with https://, in each of "
            "its alternatives."
        )
    if not manifest.may_add_domains:
        yield (
            f"{place} is {name}, which may be anywhere: let brands add domains, or name a host "
            "that a domain of the extension covers."
        )


def _begins_with_scheme(given: FieldSpec) -> bool:
    try:
        return given.pattern is not None and read_pattern(given.pattern).begins_with(_SCHEME)
    except PatternError:
        return False


def _forms(template: str, names: Names) -> list[str] | None:
    """Return the template without derived values, once for each way that they can come out."""
    forms = [template]
    derived = sorted(slots_of(template) & names.derived.keys())
    parts = [template, *(one for name in derived for one in names.derived[name].first_of)]
    if max(map(len, parts)) > _LONGEST_FORM:
        return None
    for name in derived:
        forms = [
            form.replace("{" + name + "}", one)
            for form in forms
            for one in names.derived[name].first_of
        ]
        if len(forms) > _MOST_FORMS or max(map(len, forms)) > _LONGEST_FORM:
            return None
    return forms
