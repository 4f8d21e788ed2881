"""What somebody accepts who installs an extension: a pure function of its manifest, with a digest.

The digest is SHA-256 over the UTF-8 bytes of the review as JSON: its fields by name in the order
of code points, no spaces, no escapes beyond those that JSON needs, what is absent left out. Whoever
has the review can compute it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import accumulate, islice, takewhile
from typing import NamedTuple

from keyturn_contracts.catalog import (
    BrandData,
    DomainRule,
    ExtensionChanged,
    LegalDocument,
    Manifest,
    Party,
)
from keyturn_contracts.ids import Slug
from keyturn_contracts.installation import DeclaredDomain
from keyturn_contracts.message import Part
from keyturn_contracts.templates import SLOT
from pydantic import Field

from services.installation.rules.domain import Declared, read_declared
from services.installation.rules.policy import PLAIN, Policy
from services.installation.rules.width import ANY_HOST, SEVERAL_OWNERS, is_any_host

PREVIEW = "This extension is a preview: nobody has certified it yet. It may change or fail."

MOST_DECLARED = 300
"""How many domains of a manifest are reached: an event has to fit a message."""
MOST_BYTES = 184 * 1024
"""How long they are together in an event, with what fills their slots, for the same reason: beside
them it has room for all that a brand may add, the hosts of its accounts, and what is proposed."""
_TOO_MANY = f"Of an extension's domains the first {MOST_DECLARED} are reached: use `*.name`."
_TOO_LONG = (
    "This extension's domains, with what fills their slots, are too long together: it is not "
    "reached. Shorter patterns and templates leave room for it."
)


class ReviewedDomain(Part):
    """An address that the extension may connect to, as it is shown and accepted."""

    rule: str
    """As it is matched: in A-labels; with `{slot}`s where an account's settings fill it."""
    shown: str
    """For people: in both spellings where it is international."""
    purpose: str
    slots: dict[str, str] = Field(default_factory=dict)
    """For each slot, the pattern that its value must match. The value is that of the account's
    setting of this name, unless `derived` names the slot."""
    derived: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """For each slot that no setting fills, the templates whose first complete one does."""
    defaults: dict[str, str] = Field(default_factory=dict)
    """What fills it where an account's setting is left out: of its slots and of their templates."""
    wide: str | None = None
    """How far it reaches, where that is more than one owner's hosts: `rules/width.py`."""
    wide_because: str | None = None
    """Why its publisher says that it needs a name below which several owners live."""
    blocked_because: str | None = None
    """Why it is not reached although it is declared: today's rules refuse it."""

    @property
    def is_reached(self) -> bool:
        """Whether it is an address as it stands, and not one that an account has to complete."""
        return not self.slots and self.blocked_because is None

    @property
    def declared(self) -> DeclaredDomain:
        """Return it as events tell it."""
        return DeclaredDomain(
            rule=self.rule,
            slots=self.slots,
            derived=self.derived,
            defaults=self.defaults,
            is_wide=self.wide_because is not None,
        )

    @property
    def bytes_told(self) -> int:
        """How long it is in an event; one that is reached stands in the effective list as well."""
        if self.blocked_because is not None:
            return 0
        quoted = len(self.rule.encode()) + len('"",') if self.is_reached else 0
        return len(self.declared.to_json()) + len(",") + quoted


class ReviewedPermission(Part):
    """A kind of the brand's data that the extension may read, and what for."""

    data: BrandData
    purpose: str


class Review(Part):
    """All that is shown before an extension is installed, and exactly what its digest covers."""

    extension: Slug
    version: int
    """Of the manifest."""
    name: str
    by: str
    party: Party
    preview: str | None = None
    """The warning, of an extension that nobody has certified."""
    domains: tuple[ReviewedDomain, ...] = ()
    may_add_domains: bool = False
    """Whether the brand may add domains of its own afterwards."""
    permissions: tuple[ReviewedPermission, ...] = ()
    privacy_policy: LegalDocument | None = None
    terms: LegalDocument | None = None

    @property
    def is_preview(self) -> bool:
        return self.preview is not None


@dataclass(frozen=True)
class Offer:
    """What the catalog says of an extension now."""

    review: Review
    is_retired: bool = False

    @cached_property
    def digest(self) -> str:
        return digest_of(self.review)

    @property
    def is_first_party(self) -> bool:
        return self.review.party == "first"


def offer_of(event: ExtensionChanged, policy: Policy = PLAIN) -> Offer:
    review = review_of(event.manifest, event.version, policy)
    return Offer(review, is_retired=event.state == "retired")


def review_of(manifest: Manifest, version: int, policy: Policy = PLAIN) -> Review:
    """Return what is shown of this version of an extension."""
    return Review(
        extension=manifest.slug,
        version=version,
        name=manifest.name,
        by=manifest.by or (policy.platform if manifest.party == "first" else manifest.publisher),
        party=manifest.party,
        preview=PREVIEW if manifest.preview else None,
        domains=_domains_of(manifest, policy.private),
        may_add_domains=manifest.may_add_domains,
        permissions=tuple(
            ReviewedPermission(data=one.data, purpose=one.purpose) for one in manifest.permissions
        ),
        privacy_policy=manifest.privacy_policy,
        terms=manifest.terms,
    )


def how_many_fit(domains: Iterable[ReviewedDomain]) -> int:
    """Return how many of these, from the first, an event has room for."""
    sizes = accumulate(one.bytes_told for one in islice(domains, MOST_DECLARED))
    return sum(1 for _ in takewhile(lambda size: size <= MOST_BYTES, sizes))


def _domains_of(manifest: Manifest, private: frozenset[str]) -> tuple[ReviewedDomain, ...]:
    """Read what is reached; what is blocked for being too much is shown as it is written."""
    fillings = _Fillings(manifest)
    declared = manifest.domains[:MOST_DECLARED]
    read = [_read(one, fillings.of(one.slots), private) for one in declared]
    fitting = how_many_fit(read)
    return (
        *read[:fitting],
        *(_unread(one, _TOO_LONG) for one in declared[fitting:]),
        *(_unread(one, _TOO_MANY) for one in manifest.domains[MOST_DECLARED:]),
    )


def _unread(domain: DomainRule, problem: str) -> ReviewedDomain:
    return ReviewedDomain(
        rule=domain.rule, shown=domain.rule, purpose=domain.purpose, blocked_because=problem
    )


def _read(domain: DomainRule, filling: "_Filling", private: frozenset[str]) -> ReviewedDomain:
    read = read_declared(domain, private)
    return ReviewedDomain(
        rule=read.rule,
        shown=read.shown,
        purpose=domain.purpose,
        slots=filling.slots,
        derived=filling.derived,
        defaults=filling.defaults,
        wide=_width_of(domain, read, filling),
        wide_because=domain.wide_because,
        blocked_because=read.problem,
    )


def _width_of(domain: DomainRule, read: Declared, filling: "_Filling") -> str | None:
    if read.problem is not None:
        return None
    slot = read.whole_host
    if slot is not None and is_any_host(filling.slots[slot], filling.derived.get(slot)):
        return ANY_HOST
    return None if domain.wide_because is None else SEVERAL_OWNERS


class _Filling(NamedTuple):
    """All that fills the slots of one domain, as a review shows it."""

    slots: dict[str, str]
    derived: dict[str, tuple[str, ...]]
    defaults: dict[str, str]


class _Fillings:
    """What fills the slots of a manifest's domains."""

    def __init__(self, manifest: Manifest) -> None:
        self._derived = {one.name: one.first_of for one in manifest.derived}
        self._names = {
            name: frozenset(SLOT.findall(" ".join(some))) for name, some in self._derived.items()
        }
        self._defaults = {
            one.name: one.default for one in manifest.settings if one.default is not None
        }

    def of(self, slots: Mapping[str, str]) -> _Filling:
        derived = {name: self._derived[name] for name in slots if name in self._derived}
        names = frozenset(slots).union(*(self._names[name] for name in derived))
        defaults = {one: self._defaults[one] for one in sorted(names) if one in self._defaults}
        return _Filling(dict(slots), derived, defaults)


def canonical(part: Part) -> bytes:
    """Return the bytes that a digest is over."""
    content = part.model_dump(mode="json", exclude_none=True)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def digest_of(part: Part) -> str:
    return sha256(canonical(part)).hexdigest()
