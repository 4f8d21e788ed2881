"""What fills the slots of a third party's domains besides accounts' settings, as it was accepted.

A newer manifest may fill the same slots by other templates or defaults. Until somebody accepts
that, what was accepted is put in their place, so that credentials go nowhere else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keyturn_contracts.catalog import DerivedSetting, FieldSpec, Manifest
from keyturn_contracts.installation import DeclaredDomain
from keyturn_contracts.templates import SLOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """All that was accepted of it, for all domains of an extension together."""

    names: frozenset[str] = frozenset()
    """The slots, and the settings that their templates name."""
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])


def filling_of(declared: Iterable[DeclaredDomain]) -> Filling | None:
    """Return what was accepted, or None where it was not told of a domain that has slots."""
    names: set[str] = set()
    derived: dict[str, tuple[str, ...]] = {}
    defaults: dict[str, str] = {}
    for one in declared:
        if not one.slots:
            continue
        if one.derived is None or one.defaults is None:
            return None
        templates = (text for some in one.derived.values() for text in some)
        names.update(one.slots, *map(SLOT.findall, templates))
        derived |= one.derived
        defaults |= one.defaults
    return Filling(names=frozenset(names), derived=derived, defaults=defaults)


def filled_by(manifest: Manifest, accepted: Filling) -> Manifest:
    """Return the manifest with what was accepted in the place of what it says of the same names.

    A setting that it has no more is still one, since it was accepted that it fills a slot.
    """
    settings = {
        one.name: one.model_copy(update={"default": accepted.defaults.get(one.name)})
        if one.name in accepted.names
        else one
        for one in manifest.settings
    }
    gone = accepted.names - settings.keys() - accepted.derived.keys()
    derived = {one.name: one for one in manifest.derived if one.name not in accepted.names}
    # What was accepted holds as it is, also where it is longer than a manifest may be by now.
    derived |= {
        name: DerivedSetting.model_construct(name=name, first_of=some)
        for name, some in accepted.derived.items()
    }
    kept = (
        FieldSpec.model_construct(
            name=name, title=name, required=False, default=accepted.defaults.get(name)
        )
        for name in sorted(gone)
    )
    return manifest.model_copy(
        update={"settings": (*settings.values(), *kept), "derived": tuple(derived.values())}
    )
