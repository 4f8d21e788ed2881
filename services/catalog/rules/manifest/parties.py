"""What is asked of first and of third parties: whom people turn to, and on which terms."""

from collections.abc import Iterator

from keyturn_contracts.catalog import Manifest

from services.catalog.rules.manifest.naming import (
    has_letters,
    mixed_word_in,
    passes_for,
    unreadable_in,
)

FIRST_PARTY = "keyturn"
"""The publisher of what the platform itself makes; nobody else goes by it."""


def problems_of_party(manifest: Manifest) -> Iterator[str]:
    if manifest.party == "third":
        yield from _problems_of_third(manifest)
    elif manifest.preview:
        yield "preview: only a third party's extension can be in preview."


def problems_of_publishers_name(manifest: Manifest, platform: str) -> Iterator[str]:
    """Say that people could take a third party for the platform, which is called so."""
    if manifest.party != "third":
        return
    for place, name in (("by", manifest.by), ("publisher", manifest.publisher)):
        if name is None:
            continue
        if passes_for(name, platform) or passes_for(name, FIRST_PARTY):
            yield (
                f"{place}: {name} is the platform's own name, or looks like it; use the "
                "publisher's."
            )
        elif not has_letters(name):
            yield f"{place}: {name} has no letter in it; use the publisher's name."
        elif letter := unreadable_in(name):
            yield (
                f"{place}: {letter} is nothing that everybody reads in a name, so that it could "
                "pass for another letter; write the name without it."
            )
        elif word := mixed_word_in(name):
            yield (
                f"{place}: {word} has letters of several scripts, so that they could pass for "
                "others; write each word in one."
            )


def _problems_of_third(manifest: Manifest) -> Iterator[str]:
    if manifest.publisher == FIRST_PARTY:
        yield f"publisher: {FIRST_PARTY} is kept for first-party extensions; use your own name."
    support = manifest.support
    if support is None:
        yield (
            "support: a third party's extension says whom to turn to: a name, hours, and an "
            "e-mail address or a URL."
        )
    else:
        if not support.hours:
            yield "support: say in which hours support answers."
        if support.email is None and support.url is None:
            yield "support: give an e-mail address or a URL where support is reached."
    if manifest.privacy_policy is None:
        yield "privacy_policy: a third party's extension has one, with its URL and version."
    if manifest.terms is None:
        yield "terms: a third party's extension has terms of use, with their URL and version."
