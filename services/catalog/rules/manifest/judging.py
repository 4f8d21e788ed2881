"""Everything that a manifest may not say although the contract lets it: pure, and never raises."""

from collections.abc import Collection, Iterator
from itertools import chain, islice

from keyturn_contracts.catalog import Manifest, Scheme

from services.catalog.rules.manifest.addresses import problems_of_domains
from services.catalog.rules.manifest.facts import problems_of_facts, problems_of_scheme_facts
from services.catalog.rules.manifest.parties import problems_of_party
from services.catalog.rules.manifest.probes import problems_of_probe
from services.catalog.rules.manifest.size import problem_of_size
from services.catalog.rules.manifest.texts import problems_of_texts
from services.catalog.rules.manifest.values import problems_of_fields, problems_of_settings
from services.catalog.rules.manifest.wording import printable, repeated

_MOST_PROBLEMS = 100


def problems_of(manifest: Manifest, private: Collection[str] = ()) -> list[str]:
    """Return why this cannot be published, each in a sentence that names the place; or nothing.

    Those beyond the first hundred are left out. `private`: hosts that an operator allows although
    the domain rules keep them out.
    """
    if (too_much := problem_of_size(manifest)) is not None:
        return [too_much]
    problems = chain(
        problems_of_texts(manifest),
        problems_of_party(manifest),
        problems_of_facts(manifest),
        problems_of_settings(manifest),
        _problems_of_schemes(manifest),
        problems_of_domains(manifest, private),
    )
    return [printable(one) for one in islice(problems, _MOST_PROBLEMS)]


def _problems_of_schemes(manifest: Manifest) -> Iterator[str]:
    schemes = manifest.schemes
    if not schemes:
        yield "schemes: there is none, so nobody could connect."
    for twice in repeated(scheme.id for scheme in schemes):
        yield f"schemes: {twice} is there twice."
    if len(schemes) > 1 and sum(scheme.recommended for scheme in schemes) != 1:
        yield "schemes: recommend exactly one of them, for those who do not know."
    taken = {one.name for one in (*manifest.settings, *manifest.derived)}
    for scheme in schemes:
        yield from _problems_of_scheme(scheme, manifest, taken)


def _problems_of_scheme(scheme: Scheme, manifest: Manifest, taken: set[str]) -> Iterator[str]:
    place = f"schemes: {scheme.id}"
    yield from problems_of_fields(place, scheme.fields)
    for name in sorted({one.name for one in scheme.fields} & taken):
        yield f"{place}: {name} is a setting too, so a template could mean either."
    yield from problems_of_scheme_facts(place, scheme)
    for problem in problems_of_probe(scheme, manifest):
        yield f"{place}: {problem}"
