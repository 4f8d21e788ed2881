"""When an extension is published, certified and retired, and by whom."""

from collections.abc import Sequence
from typing import Any

import pytest
from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import (
    CertifyExtension,
    ExtensionCertified,
    ExtensionPublished,
    ExtensionRetired,
    Manifest,
    PublishExtension,
    RetireExtension,
)

from services.catalog.rules.extension import (
    Extension,
    Platform,
    Publication,
    decide_certification,
    decide_publication,
    decide_retirement,
    publish,
)
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked
from tests.catalog.given import RELAY, by_operator, by_publisher, publication, third_party

# fmt: off
LIKE_KEYTURN = [
    "Keyturn Inc.", "The Keyturn Company", "Keyturners",
    "Keyturn", " KEYTURN ", "\uff2beyturn", "Key turn", "Key-Turn", "k.e.y.t.u.r.n", "Keyturn®",
    # Invisible, or turning it around.
    "Key\u00a0turn", "Key\u200bturn", "Key\u2060turn", "\u202eKeyturn", "Key\u00adturn",
    "Key\u3164turn", "Keyturn\ufe0f",
    # Latin letters with something to them, small capitals, and letters in ornaments.
    "Kéyturn", "Ke\u0301yturn", "Keyturn\u0301\u0302", "KEYTURN\u02bc", "Keytum",
    "\u0138eyturn", "Keyt\u1d1crn", "\u1d0b\u1d07\u028f\u1d1b\u1d1c\u0280\u0274", "\u24c0eyturn",
    "\U0001d40aeyturn", "\U0001f17aeyturn", "\U0001f1f0eyturn",
    # Cyrillic and Greek ones.
    "\u041aeyturn", "\u041a\u0435\u0443\u0442urn", "K\u0435yturn", "\u043aeyturn",
    "Ke\u04afturn", "Keytu\u0433n", "Keytur\u043f", "\u039aeyturn", "Key\u03c4\u03c5rn",
    "\u039a\u0395\u03a5\u03a4URN", "K\u039eYTURN", "k\u0454yturn", "\u049aeyturn",
    "\u041aeytu\u044fn", "\u041a\u0404\u0423\u0422\u0426\u042f\u0418",
    # Other letters, and digits and signs that are written for letters.
    "keyt\u028brn", "Keytur\u014b", "keytur\u057c", "KEY7URN", "k3yturn", "K3Y7URN", "Key+urn",
    "Key+Turn", "Key\uff0burn",
]
# fmt: on
RETIRE = RetireExtension(extension="parcels", reason="Nobody maintains it.")


def published(manifest: Manifest, asked: Asked[PublishExtension] | None = None) -> Extension:
    return applied(decide(None, asked or publication(manifest)))


def decide(extension: Extension | None, asked: Asked[PublishExtension]) -> Decision[Extension, str]:
    return decide_publication(Platform(name="Keyturn"), extension, asked)


def applied(decision: Decision[Extension, str]) -> Extension:
    assert isinstance(decision, Applied), decision
    return decision.state


def refusal(decision: Decision[Extension, str]) -> tuple[str, str]:
    assert isinstance(decision, Refused), decision
    return decision.reason, decision.message


def test_a_new_manifest_is_published_as_its_first_version() -> None:
    asked = publication(RELAY)

    decision = decide(None, asked)

    assert isinstance(decision, Applied)
    assert decision.events == (
        ExtensionPublished(manifest=RELAY, version=1, published_at=asked.at),
    )
    assert (decision.state.version, decision.state.state) == (1, "published")


def test_a_manifest_that_says_something_new_is_the_next_version_and_both_are_kept() -> None:
    renamed = RELAY.model_copy(update={"name": "Mail"})

    extension = applied(decide(published(RELAY), publication(renamed)))

    assert extension.version == 2
    assert [(one.version, one.manifest) for one in extension.new] == [(1, RELAY), (2, renamed)]
    assert {one.published_by for one in extension.new} == {"root"}


def test_the_same_manifest_is_not_published_again() -> None:
    for manifest in (RELAY, third_party()):
        decision = decide(published(manifest), publication(manifest.model_copy()))

        assert isinstance(decision, Unchanged)


@pytest.mark.parametrize(
    ("manifest", "publisher", "roles", "said"),
    [
        (third_party(), "parcels-inc", (), "Only an operator, or publishers/parcels-inc"),
        (third_party(), "parcels-inc", ("administrator",), "Only an operator"),
        (third_party(), "others-inc", ("publisher",), "Only an operator"),
        (third_party(publisher="others-inc"), "parcels-inc", ("publisher",), "Only an operator"),
        (RELAY, "keyturn", ("publisher",), "Only operators publish first-party"),
    ],
)
def test_a_publishers_system_publishes_its_own_and_nothing_of_the_platforms(
    manifest: Manifest, publisher: str, roles: Sequence[Role], said: str
) -> None:
    reason, message = refusal(
        decide(None, by_publisher(manifest, publisher=publisher, roles=roles))
    )

    assert reason == "not_the_publisher"
    assert said in message


def test_a_first_party_extension_does_not_become_a_third_partys_by_its_publisher() -> None:
    taken_over = third_party("smtp-relay", publisher="keyturn")

    decision = decide(published(RELAY), by_publisher(taken_over, publisher="keyturn"))

    assert refusal(decision)[0] == "not_the_publisher"


def test_an_extension_belongs_to_no_brand() -> None:
    asked = by_operator(PublishExtension(manifest=RELAY), brand="acme")

    assert refusal(decide(None, asked))[0] == "not_the_publisher"


@pytest.mark.parametrize("is_by_operator", [True, False])
def test_a_slug_belongs_to_whoever_published_it_first(is_by_operator: bool) -> None:  # noqa: FBT001  one of two senders
    mine = third_party(publisher="others-inc", by="Others Inc.")
    asked = publication(mine) if is_by_operator else by_publisher(mine, publisher="others-inc")

    assert refusal(decide(published(third_party()), asked))[0] == "slug_taken"


def test_a_manifest_that_could_not_work_is_refused_with_its_sentences() -> None:
    reason, message = refusal(decide(None, publication(third_party(schemes=()))))

    assert reason == "manifest_invalid"
    assert "schemes: there is none" in message


@pytest.mark.parametrize("by", LIKE_KEYTURN)
def test_nobody_else_goes_by_the_platforms_name(by: str) -> None:
    reason, message = refusal(decide(None, publication(third_party(by=by))))

    assert reason == "manifest_invalid"
    assert "the platform's own name" in message


@pytest.mark.parametrize("by", ["Gopher Tools", "Cargo"])
def test_a_platforms_short_name_may_stand_in_others(by: str) -> None:
    decision = decide_publication(Platform(name="Go"), None, publication(third_party(by=by)))

    assert isinstance(decision, Applied)


@pytest.mark.parametrize("publisher", ["key-turn", "k-e-y-turn", "keytum", "keyturn"])
def test_a_publishers_slug_is_a_name_too(publisher: str) -> None:
    asked = by_publisher(third_party(publisher=publisher), publisher=publisher)

    reason, message = refusal(decide(None, asked))

    assert reason == "manifest_invalid"
    assert f"publisher: {publisher} is the platform's own name, or looks like it" in message


@pytest.mark.parametrize(
    "by", ["Acme Flows", "acmeflows", "ACME FL0WS", "\u0410\u0441meFlovvs", "Keyturn"]
)
def test_the_platforms_name_is_what_the_operator_calls_it_and_its_slug(by: str) -> None:
    platform = Platform(name="Acme Flows")

    decision = decide_publication(platform, None, publication(third_party(by=by)))

    assert "the platform's own name" in refusal(decision)[1]


@pytest.mark.parametrize(
    "by", ["\u041a\u041b\u042e\u0427", "\u041a\u043b\u044e\u0447", "K\u041b\u044e\u0447"]
)
def test_a_platform_may_be_called_in_any_script(by: str) -> None:
    platform = Platform(name="\u041a\u043b\u044e\u0447")

    decision = decide_publication(platform, None, publication(third_party(by=by)))

    assert "the platform's own name" in refusal(decision)[1]


@pytest.mark.parametrize(
    "by",
    [
        *("Parcels Inc.", "Key", "Turnkey", "Почта России", "Ключник", "京东物流", "3M", "7-11"),
        *("AT&T", "A+ Parcels", "Parcels\u2122", "Parcels\u00ae", "L\u2019Or\u00e9al \u2013 Paris"),
        *("Почта (Post) 24", "LINEヤフー", "楽天Group", "\u05d1\u05e2\u05f4\u05de", "Škoda Łódź"),
        "\u067e\u06cc\u06a9\u200c\u0647\u0627",
    ],
)
def test_other_names_are_nobody_elses(by: str) -> None:
    assert isinstance(decide(None, publication(third_party(by=by))), Applied)


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("\u13e6eyturn", "by: “\u13e6” (U+13E6 CHEROKEE LETTER TSO) is nothing that every"),
        ("\ua4d7\ua4f0\ua4ec\ua4d4\ua4f4\ua4e3\ua4e0", "LISU LETTER KA) is nothing that every"),
        ("***", "by: *** has no letter in it"),
        ("K\u20acYTURN", "EURO SIGN) is nothing that everybody reads"),
        ("Keytur\u2229", "INTERSECTION) is nothing that everybody reads"),
        ("key\u2020urn", "DAGGER) is nothing that everybody reads"),
        ("KE\u01acURN", "LATIN CAPITAL LETTER T WITH HOOK) is nothing that everybody reads"),
        ("k\u2778yturn", "DIGIT THREE) is nothing that everybody reads"),
        ("Parcel$", "DOLLAR SIGN) is nothing that everybody reads"),
        ("keyt\u00b5rn", "by: keyt\u03bcrn has letters of several scripts"),
        ("The P\u0430rcels", "by: P\u0430rcels has letters of several scripts"),
    ],
)
def test_a_publishers_name_is_one_that_people_can_read(by: str, said: str) -> None:
    reason, message = refusal(decide(None, publication(third_party(by=by))))

    assert reason == "manifest_invalid"
    assert said in message


def test_what_a_publisher_publishes_is_a_preview_until_it_is_certified() -> None:
    claimed = third_party(preview=False)

    extension = published(claimed, by_publisher(claimed))
    certified = applied(decide_certification(extension, certify()))
    later = applied(decide(certified, by_publisher(third_party(name="Parcels 2"))))

    assert (extension.manifest.preview, extension.version) == (True, 1)
    assert (certified.manifest.preview, certified.version) == (False, 1)
    assert (later.manifest.preview, later.version) == (False, 2)


def test_an_operator_certifies_by_publishing_what_is_no_preview() -> None:
    preview, certified = published(third_party()), published(third_party(preview=False))

    assert (preview.manifest.preview, preview.is_certified) == (True, False)
    assert (certified.manifest.preview, certified.is_certified) == (False, True)


def certify(**options: Any) -> Asked[CertifyExtension]:
    return by_operator(CertifyExtension(extension="parcels"), **options)


def test_certifying_ends_a_preview_once() -> None:
    extension = published(third_party())

    decision = decide_certification(extension, certify())

    assert isinstance(decision, Applied)
    assert decision.events == (
        ExtensionCertified(
            manifest=third_party(preview=False), version=1, published_at=extension.published_at
        ),
    )
    assert isinstance(decide_certification(decision.state, certify()), Unchanged)


def test_retiring_takes_it_out_of_the_catalog_once() -> None:
    extension = published(third_party())

    decision = decide_retirement(extension, by_operator(RETIRE))

    assert isinstance(decision, Applied)
    assert decision.events == (
        ExtensionRetired(
            manifest=third_party(),
            version=1,
            state="retired",
            published_at=extension.published_at,
        ),
    )
    assert decision.state.retired_because == "Nobody maintains it."
    assert isinstance(decide_retirement(decision.state, by_operator(RETIRE)), Unchanged)


@pytest.mark.parametrize(
    "sender",
    [
        {"roles": ("publisher",), "by": "publishers/parcels-inc"},
        {"roles": ("administrator", "member")},
        {"brand": "acme"},
    ],
)
def test_only_an_operator_of_the_platform_certifies_and_retires(sender: dict[str, Any]) -> None:
    extension = published(third_party())

    certified = decide_certification(extension, certify(**sender))
    retired = decide_retirement(extension, by_operator(RETIRE, **sender))

    assert refusal(certified)[0] == "not_an_operator"
    assert refusal(retired)[0] == "not_an_operator"


def test_what_was_never_published_is_neither_certified_nor_retired() -> None:
    assert refusal(decide_certification(None, certify()))[0] == "extension_unknown"
    assert refusal(decide_retirement(None, by_operator(RETIRE)))[0] == "extension_unknown"


def test_a_publisher_mends_what_is_retired_and_it_stays_retired() -> None:
    retired = applied(decide_retirement(published(third_party()), by_operator(RETIRE)))

    decision = decide(retired, by_publisher(third_party(name="Parcels, mended")))

    assert isinstance(decision, Applied)
    [event] = decision.events
    assert isinstance(event, ExtensionPublished)
    assert (event.version, event.state) == (2, "retired")
    assert decision.state.retired_because == "Nobody maintains it."


@pytest.mark.parametrize(("name", "version"), [(None, 1), ("Parcels 2", 2)])
def test_an_operator_brings_back_what_is_retired(name: str | None, version: int) -> None:
    retired = applied(decide_retirement(published(third_party()), by_operator(RETIRE)))

    decision = decide(retired, publication(third_party(name=name)))

    assert isinstance(decision, Applied)
    [event] = decision.events
    assert isinstance(event, ExtensionPublished)
    assert (event.version, event.state) == (version, "published")
    assert decision.state.retired_because is None


def test_what_the_catalog_comes_with_brings_nothing_back() -> None:
    retired = applied(decide_retirement(published(third_party()), by_operator(RETIRE)))

    decision = publish(
        retired, Publication(manifest=third_party(name="Parcels 2"), at=retired.published_at)
    )

    assert isinstance(decision, Applied)
    assert (decision.state.version, decision.state.state) == (2, "retired")


def test_a_certified_one_may_be_retired_and_a_retired_one_certified() -> None:
    retired = applied(decide_retirement(published(third_party()), by_operator(RETIRE)))

    certified = applied(decide_certification(retired, certify()))

    assert (certified.state, certified.manifest.preview) == ("retired", False)
