"""Templates: which names stand in one, and whether each may stand there."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from keyturn_contracts.catalog import DerivedSetting, FieldSpec, Manifest, Scheme
from keyturn_contracts.templates import SLOT

_SLOT = re.compile(r"\{([^{}]*)\}")


def slots_of(template: str) -> set[str]:
    return set(_SLOT.findall(template))


def without_slots(template: str) -> str:
    """Return what is the same in everything that the template becomes."""
    return _SLOT.sub("", template)


def has_stray_brace(template: str) -> bool:
    return not {"{", "}"}.isdisjoint(without_slots(template))


def whole_slot(template: str) -> str | None:
    """Return the one name that the template consists of, or None."""
    found = _SLOT.fullmatch(template)
    return found[1] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A template in a probe, and what may stand in it."""

    name: str
    """For people: `url` or `the header Accept`."""
    template: str
    takes_secret: bool = False
    """Whether what it becomes is shown to nobody but the provider: a URL, for one, is."""
    can_be_left_out: bool = False
    """Whether the request makes sense without it, where its one name has no value."""
    is_body: bool = False
    also: frozenset[str] = frozenset()
    """Names that are known here beside settings, derived values and fields."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the templates of a scheme may name."""

    settings: Mapping[str, FieldSpec]
    derived: Mapping[str, DerivedSetting]
    fields: Mapping[str, FieldSpec] = field(default_factory=dict[str, FieldSpec])
    absent: frozenset[str] = frozenset()
    """Derived values that nothing may make."""

    @classmethod
    def of(cls, manifest: Manifest, scheme: Scheme) -> "Names":
        settings = {one.name: one for one in manifest.settings}
        return cls(
            settings=settings,
            derived={one.name: one for one in manifest.derived},
            fields={one.name: one for one in scheme.fields},
            absent=frozenset(
                one.name
                for one in manifest.derived
                if all(
                    any(_may_be_absent(settings.get(slot)) for slot in slots_of(template))
                    for template in one.first_of
                )
            ),
        )

    def problems_of(self, place: Place) -> Iterator[str]:
        slot = SLOT if place.is_body else _SLOT
        for name in sorted(set(slot.findall(place.template))):
            yield from self._problems_of_name(name, place)
        if not place.is_body and has_stray_brace(place.template):
            yield f"the probe's {place.name} has a brace that opens or closes nothing."

    def is_secret(self, name: str) -> bool:
        return name in self.fields and self.fields[name].secret

    def may_be_absent(self, name: str) -> bool:
        """Tell whether nobody has to give it, and nothing stands in for it."""
        if name in self.derived:
            return name in self.absent
        return _may_be_absent(self.settings.get(name) or self.fields.get(name))

    def _problems_of_name(self, name: str, place: Place) -> Iterator[str]:
        if name in place.also:
            return
        if name not in self.fields and name not in self.settings and name not in self.derived:
            yield f"the probe's {place.name} names {name}, no setting and no field of it."
        elif self.is_secret(name) and not place.takes_secret:
            yield f"the probe's {place.name} would show the secret {name}."
        elif self.may_be_absent(name) and not (
            place.can_be_left_out and whole_slot(place.template) == name
        ):
            yield (
                f"the probe's {place.name} needs {name}, which may be absent: require it, give it "
                "a default, or name a derived value that has something to fall back on."
            )


def _may_be_absent(given: FieldSpec | None) -> bool:
    return given is not None and not given.required and given.default is None
