"""What is shown before an extension is installed, and the digest over exactly that."""

import json
from hashlib import sha256
from typing import Any

import pytest

from services.installation.rules.policy import Policy
from services.installation.rules.review import PREVIEW, canonical, digest_of, review_of
from tests.installation import given
from tests.installation.given import API, domain, review


def test_a_review_shows_all_that_is_accepted() -> None:
    shown = review()

    assert (shown.name, shown.by, shown.party, shown.version) == (
        "Loud Mail",
        "Loud-Mail Ltd",
        "third",
        1,
    )
    assert shown.preview == PREVIEW
    assert [(one.rule, one.purpose) for one in shown.domains] == [
        ("api.example.com", "Templates."),
        ("{host}:{port}", "The brand's mail server."),
    ]
    assert [(one.data, one.purpose) for one in shown.permissions] == [
        ("contacts", "The addresses that mail is sent to.")
    ]
    assert (shown.privacy_policy, shown.terms) == (given.PRIVACY, given.TERMS)
    assert shown.may_add_domains


def test_a_first_party_extension_is_by_the_platform() -> None:
    own = given.first_party(by=None)

    assert review_of(own, 1, Policy(platform="Acme Cloud")).by == "Acme Cloud"
    assert review_of(given.manifest(by=None), 1).by == given.LOUD


def test_a_certified_extension_has_no_warning() -> None:
    assert review(preview=False).preview is None


def test_an_international_domain_is_shown_in_both_spellings() -> None:
    [shown] = review(domains=(domain("Bücher.example.com"),)).domains

    assert shown.rule == "xn--bcher-kva.example.com"
    assert shown.shown == "bücher.example.com (xn--bcher-kva.example.com)"


def test_a_wide_wildcard_is_shown_with_its_reason() -> None:
    reason = "Each region has a bucket of its own."
    [shown] = review(domains=(domain("*.amazonaws.com", wide_because=reason),)).domains

    assert (shown.rule, shown.wide_because) == ("*.amazonaws.com", reason)
    assert shown.is_reached
    assert shown.wide == "the hosts of several owners, as its publisher says"


@pytest.mark.parametrize(
    "pattern",
    [
        ".*",
        ".+",
        "[^ ]+",
        "[^/]{1,253}",
        given.HOST,
        "[A-Z.]+",
        r"[a-z]+[.](?:com|org)",
        r"(?:[a-z0-9-]+\.)+[a-z]{2,}",
        r"smtp\..+",
    ],
)
def test_a_whole_host_that_any_setting_names_is_called_wide(pattern: str) -> None:
    plain, at_a_port = review(
        domains=(
            domain("{host}", slots={"host": pattern}),
            domain("{host}:{port}", slots={"host": pattern, "port": given.PORT}),
        )
    ).domains

    assert plain.wide == at_a_port.wide == "any host that an account's settings name"


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("{host}", r"[a-z0-9-]+\.example\.com"),
        ("{host}", r"(?:.*\.)?example\.(?:com|org)"),
        ("{host}.example.com", ".*"),
        ("api.example.com:{host}", ".*"),
    ],
)
def test_what_is_bound_to_an_owner_is_not_wide(rule: str, pattern: str) -> None:
    [shown] = review(domains=(domain(rule, slots={"host": pattern}),)).domains

    assert shown.blocked_because is None
    assert shown.wide is None


@pytest.mark.parametrize(
    ("templates", "is_wide"),
    [
        (("{instance}.example.com",), False),
        (("api.example.com", "{instance}.example.com"), False),
        (("{instance}.com",), True),
        (("{instance}.example.com", "{host}"), True),
        (("api.{host}",), True),
    ],
)
def test_a_whole_host_that_templates_fill_is_as_wide_as_their_ends(
    templates: tuple[str, ...], *, is_wide: bool
) -> None:
    [shown] = review(
        domains=(domain("{server}", slots={"server": ".*"}),),
        derived=(given.derived("server", *templates),),
    ).domains

    assert (shown.wide is not None) == is_wide


def test_that_a_host_is_wide_is_accepted_with_it() -> None:
    shown = review(domains=(given.SERVER,))
    [domain_] = shown.domains

    unsaid = shown.model_copy(update={"domains": (domain_.model_copy(update={"wide": None}),)})

    assert b"any host that an account's settings name" in canonical(shown)
    assert digest_of(unsaid) != digest_of(shown)


def test_a_rule_that_is_refused_by_now_is_shown_as_blocked() -> None:
    [shown] = review(domains=(domain("*.amazonaws.com"),)).domains

    assert shown.blocked_because is not None
    assert "several owners" in shown.blocked_because
    assert not shown.is_reached


def test_a_private_host_is_reached_where_an_operator_allowed_it() -> None:
    declared = given.manifest(domains=(domain("mail.internal"),))

    [blocked] = review_of(declared, 1).domains
    [allowed] = review_of(declared, 1, Policy(private=frozenset({"mail.internal"}))).domains

    assert not blocked.is_reached
    assert allowed.is_reached


def test_a_slot_that_a_template_fills_shows_the_template() -> None:
    shown = review(
        domains=(domain("{server}", slots={"server": given.HOST}),),
        derived=(given.derived("server", "{host}", "{instance}.example.com"),),
    )

    assert shown.domains[0].derived == {"server": ("{host}", "{instance}.example.com")}


def test_the_digest_is_over_the_review_as_canonical_json() -> None:
    shown = review(domains=(domain("bücher.example.com"),), preview=False)
    said = json.dumps(
        json.loads(shown.model_dump_json(exclude_none=True)),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()

    assert canonical(shown) == said
    assert b"preview" not in said
    assert digest_of(shown) == sha256(said).hexdigest()


def test_the_digest_is_of_everything_that_is_shown() -> None:
    changes: tuple[dict[str, Any], ...] = (
        {"name": "Another"},
        {"by": "Somebody else"},
        {"preview": False},
        {"domains": (API,)},
        {"domains": (API.model_copy(update={"purpose": "Another."}), given.SERVER)},
        {"domains": (API, given.SERVER.model_copy(update={"slots": {"host": "a", "port": "1"}}))},
        {"additional_domains": given.FIXED},
        {"permissions": ()},
        {"permissions": (given.permission("contacts", "Another purpose."),)},
        {"privacy_policy": given.TERMS},
        {"terms": given.PRIVACY},
    )
    digests = {digest_of(review(**one)) for one in changes}

    assert len(digests | {digest_of(review()), digest_of(review(2))}) == len(changes) + 2


def test_what_is_not_shown_does_not_change_the_digest() -> None:
    same = review(description="In other words.", gaps=("Nobody knows.",), category="other")

    assert digest_of(same) == digest_of(review())
