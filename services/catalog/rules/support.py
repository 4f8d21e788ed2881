"""Whom somebody turns to, and why: the platform, the vendor, or both."""

from dataclasses import dataclass
from typing import Literal

from keyturn_contracts.catalog import Manifest, SupportDetails

Problem = Literal["vendor", "workflow", "interface"]
"""Trouble inside the vendor's product (or finding ids and keys there); building a workflow; errors
in the platform's interface while setting the extension up."""
Side = Literal["platform", "vendor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    side: Side
    details: SupportDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Whom to turn to, the first one first, and the reason in a sentence."""

    contacts: tuple[Contact, ...]
    reason: str


def by_of(manifest: Manifest, platform: str) -> str:
    """Return who is behind an extension, for people; `platform` is the platform's own name."""
    return platform if manifest.party == "first" else manifest.by or manifest.publisher


def support_of(manifest: Manifest, platform: SupportDetails) -> Contact:
    """Return the support block: the platform's of a first-party extension, else the publisher's.

    What the operator set holds for every first-party extension. Only where that links to no
    documentation, the extension's own is linked to, where it has one.
    """
    own = manifest.support
    if manifest.party == "third" and own is not None:
        return Contact(side="vendor", details=own)
    if own is not None and platform.documentation is None:
        platform = platform.model_copy(update={"documentation": own.documentation})
    return Contact(side="platform", details=platform)


def route(manifest: Manifest, problem: Problem, name: str, platform: SupportDetails) -> Routing:
    """Say whom to turn to with this problem; `name` is the platform's for people."""
    ours = Contact(side="platform", details=platform)
    theirs = support_of(manifest, platform)
    if theirs.side == "platform":
        return Routing(
            contacts=(theirs,),
            reason=f"{manifest.name} is by {name}: {name} support helps with all of it.",
        )
    by = manifest.by or manifest.publisher
    match problem:
        case "vendor":
            return Routing(
                contacts=(theirs,),
                reason=f"{by} knows its own product, and where ids and keys are found in it.",
            )
        case "workflow":
            return Routing(
                contacts=(ours,),
                reason=f"Workflows are built in {name}, whichever extension they use.",
            )
        case "interface":
            return Routing(
                contacts=(ours, theirs),
                reason=(
                    f"The error may come from {name} or from {by}: begin with {name} support, "
                    "which narrows it down."
                ),
            )
