"""Whether a brand may use an extension at all: by its licence and its installation."""

from dataclasses import dataclass
from typing import Literal

from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState

Barred = Literal["not_licensed", "not_installed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What other services said of one brand and one extension: nothing, at first."""

    is_licensed: bool = False
    state: InstallationState | None = None
    """Of its installation; None where nothing has been said of one."""
    is_implicit: bool = False
    """It comes with the licence, which alone decides then."""
    party: Party = "third"
    """By whom it is, as its installation says."""


NOTHING = Entitlement()


def why_barred(one: Entitlement) -> Barred | None:
    """Return why nobody of the brand may use accounts of the extension, or None where they may.

    Without news of a licence there is none, and without news of an installation neither: a licence
    gives a first party's, so its news comes soon after.
    """
    if not one.is_licensed:
        return "not_licensed"
    if one.is_implicit or one.state == "installed":
        return None
    return "not_licensed" if one.state == "suspended" else "not_installed"
