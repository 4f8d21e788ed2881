"""When an extension is published."""

from keyturn_contracts.catalog import ExtensionPublished

from services.catalog.jobs import MANIFESTS, read_manifests
from services.catalog.rules.extension import Extension, decide_publication
from shared.decisions import Applied, Unchanged

(RELAY,) = read_manifests(MANIFESTS)


def test_a_new_manifest_is_published_as_its_first_version() -> None:
    decision = decide_publication(None, RELAY)

    assert decision == Applied(
        Extension(manifest=RELAY, version=1), (ExtensionPublished(manifest=RELAY, version=1),)
    )


def test_a_manifest_that_says_something_new_is_the_next_version() -> None:
    renamed = RELAY.model_copy(update={"name": "Mail"})

    decision = decide_publication(Extension(manifest=RELAY, version=4), renamed)

    assert isinstance(decision, Applied)
    assert decision.state == Extension(manifest=renamed, version=5)
    assert decision.events == (ExtensionPublished(manifest=renamed, version=5),)


def test_the_same_manifest_is_not_published_again() -> None:
    decision = decide_publication(Extension(manifest=RELAY, version=4), RELAY.model_copy())

    assert isinstance(decision, Unchanged)
