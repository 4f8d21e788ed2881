"""Plans: named sets of extensions, as a file and the settings give them."""

from collections.abc import Collection, Mapping
from typing import Annotated

import yaml
from keyturn_contracts.ids import Id, Slug
from pydantic import Field, TypeAdapter, ValidationError

from services.catalog.rules.licence import Plans

MOST_SLUGS = 5000
"""How many extensions all plans name together: a licence with all of them still fits a message."""

NamedPlans = dict[Id, Annotated[tuple[Slug, ...], Field(max_length=MOST_SLUGS)]]
_PLANS = TypeAdapter(NamedPlans)


class PlanError(ValueError):
    """Plans that cannot be followed. Its text says which, and what to do."""


def read_plans(text: str) -> NamedPlans:
    """Read a file of plans, YAML of slugs by the plan's name, or raise `PlanError`."""
    try:
        return _PLANS.validate_python(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        raise PlanError(f"The plans are not YAML: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise PlanError(f"The plans are wrong at {place}: {first['msg']}.") from None


def plans_of(shipped: NamedPlans, own: Mapping[str, Collection[str]]) -> Plans:
    """Return the plans there are: those shipped, and an operator's own, which win by their name."""
    return {name: frozenset(slugs) for name, slugs in {**shipped, **own}.items()}


def problem_of(plans: Plans, *, unknown: Collection[str], missed: Collection[str]) -> str | None:
    """Say why these plans cannot be followed, or None.

    `unknown` are slugs that no extension has; `missed` plans that are gone and that brands have.
    """
    if unknown:
        naming = sorted(name for name, slugs in plans.items() if slugs & set(unknown))
        return (
            f"The plans {', '.join(naming)} name extensions that were never published: "
            f"{', '.join(sorted(unknown))}. Correct the names, or publish them first."
        )
    if missed:
        return (
            f"Brands have the plans {', '.join(sorted(missed))}, which are gone from the "
            "configuration: give them back, empty where they are to end."
        )
    if len(frozenset[str]().union(*plans.values())) > MOST_SLUGS:
        return f"All plans together name more than {MOST_SLUGS} extensions."
    return None
