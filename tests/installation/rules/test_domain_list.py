"""The brand's own domains: added and removed, several at once, each with a verdict."""

from typing import Any

import pytest
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.installation import MAX_ADDED, AccountHost, AddedDomain
from keyturn_contracts.message import Verdict

from services.installation.rules.domain_list import decide_addition, decide_removal
from services.installation.rules.installation import Desk, DomainChange
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from tests.installation import given
from tests.installation.given import LATER, add, remove, review
from tests.installation.rules.on_desk import added, asked, desk, installation

PICTURES = "pictures.example.org"


def applied(decision: Decision[Desk, str]) -> Applied[Desk]:
    assert isinstance(decision, Applied), decision
    return decision


def event_of(decision: Decision[Desk, str]) -> Any:
    [event] = applied(decision).events
    return event


def words(verdicts: Any) -> list[tuple[str, str, str | None]]:
    return [(one.subject, one.verdict, one.reason) for one in verdicts]


def refusal(decision: Decision[Desk, str]) -> str:
    assert isinstance(decision, Refused), decision
    return decision.reason


def test_domains_are_added_with_who_why_and_what_it_led_to() -> None:
    before = installation()

    decision = decide_addition(
        desk(before), asked(add(PICTURES, "*.Bücher.example.org."), by="ada", at=LATER)
    )

    event = event_of(decision)
    assert type(event).__name__ == "DomainsChanged"
    assert event.added[0] == AddedDomain(
        rule=PICTURES,
        by="ada",
        reason="Our pictures.",
        at=LATER,
        suffix_list=SUFFIX_LIST_VERSION,
    )
    assert event.suffix_list == SUFFIX_LIST_VERSION
    assert event.domains == ("api.example.com", PICTURES, "*.xn--bcher-kva.example.org")
    assert event.domains_revision == before.domains_revision + 1
    assert applied(decision).verdicts == []
    assert applied(decision).state.changes == (
        DomainChange(
            rule=PICTURES,
            what="added",
            issuer="local",
            by="ada",
            reason="Our pictures.",
            at=LATER,
            revision=event.domains_revision,
            suffix_list=SUFFIX_LIST_VERSION,
        ),
        DomainChange(
            rule="*.xn--bcher-kva.example.org",
            what="added",
            issuer="local",
            by="ada",
            reason="Our pictures.",
            at=LATER,
            revision=event.domains_revision,
            suffix_list=SUFFIX_LIST_VERSION,
        ),
    )


def test_each_domain_has_a_verdict_of_its_own() -> None:
    before = installation(added=added("*.example.org"))

    decision = decide_addition(
        desk(before),
        asked(
            add(
                "https://example.net/x",
                PICTURES,
                "api.example.com",
                "*.amazonaws.com",
                "{host}",
                "new.example.net",
                "NEW.example.net",
            )
        ),
    )

    assert words(applied(decision).verdicts) == [
        ("domains/https://example.net/x", "refused", "scheme"),
        ("domains/pictures.example.org", "unchanged", "already_there"),
        ("domains/api.example.com", "unchanged", "already_there"),
        ("domains/*.amazonaws.com", "refused", "wildcard_spans_owners"),
        ("domains/{host}", "refused", "slot_not_allowed"),
        ("domains/NEW.example.net", "unchanged", "already_there"),
    ]
    assert [one.rule for one in event_of(decision).added] == ["*.example.org", "new.example.net"]
    assert all(one.message for one in applied(decision).verdicts)


def test_where_none_was_added_and_none_was_there_it_is_refused_with_sentences() -> None:
    texts = [f"10.0.0.{one}" for one in range(5)]

    decision = decide_addition(desk(installation()), asked(add(*texts)))

    assert isinstance(decision, Refused)
    assert decision.reason == "domains_refused"
    assert decision.message.startswith("10.0.0.0: This is an IP address")
    assert decision.message.endswith("And 2 more were refused.")


def test_where_none_was_added_and_some_were_there_nothing_changes() -> None:
    decision = decide_addition(desk(installation()), asked(add("api.example.com", "10.0.0.1")))

    assert isinstance(decision, Unchanged)
    assert [one.verdict for one in decision.verdicts] == ["unchanged", "refused"]


def test_a_host_of_an_account_does_not_stand_for_an_added_domain() -> None:
    """The account may go, and what an administrator asked for would go with it."""
    host = "smtp.example.net:587"
    before = installation(hosts=(AccountHost(rule=host, accounts=1),))

    event = event_of(decide_addition(desk(before), asked(add(host))))

    assert [one.rule for one in event.added] == [host]
    assert (event.domains, event.domains_revision) == (before.domains, before.domains_revision)


def test_a_private_host_may_be_added_where_an_operator_allowed_it() -> None:
    decision = decide_addition(desk(installation()), asked(add("localhost", "printer.local")))

    assert [one.rule for one in event_of(decision).added] == ["localhost"]
    assert words(applied(decision).verdicts) == [
        ("domains/printer.local", "refused", "special_use")
    ]


def test_domains_are_added_only_where_the_extension_allows_it() -> None:
    fixed = installation(review(additional_domains=given.FIXED))

    assert refusal(decide_addition(desk(fixed), asked(add(PICTURES)))) == "domains_fixed"


def test_only_an_administrator_changes_domains() -> None:
    on_it = desk(installation(added=added(PICTURES)))

    for decision in (
        decide_addition(on_it, asked(add("example.net"), roles=("member",))),
        decide_removal(on_it, asked(remove(PICTURES), roles=("member",))),
    ):
        assert refusal(decision) == "not_an_administrator"


def test_there_is_a_most_of_domains_and_what_fits_is_added() -> None:
    before = installation(added=added(*(f"a{one}.example.org" for one in range(MAX_ADDED - 1))))

    decision = decide_addition(desk(before), asked(add("one.example.net", "two.example.net")))

    assert len(event_of(decision).added) == MAX_ADDED
    assert words(applied(decision).verdicts) == [("domains/two.example.net", "refused", "too_many")]


def test_long_reasons_leave_room_for_the_event() -> None:
    texts = [f"a{one}.example.org" for one in range(MAX_ADDED)]

    decision = decide_addition(
        desk(installation()), asked(add(*texts, reason="\N{FACE WITH TEARS OF JOY}" * 500))
    )

    assert len(event_of(decision).to_json()) < 200 * 1024
    assert applied(decision).verdicts[-1].reason == "too_many"


def test_a_whole_list_is_added_at_once_and_then_is_there() -> None:
    texts = [f"a{one}.example.org" for one in range(MAX_ADDED)]

    first = applied(decide_addition(desk(installation()), asked(add(*texts)))).state
    again = decide_addition(first, asked(add(*texts)))

    assert isinstance(again, Unchanged)
    assert len(again.verdicts) == MAX_ADDED


def test_what_the_brand_added_is_removed_and_what_is_declared_stays() -> None:
    before = installation(added=added(PICTURES, "example.net"))

    decision = decide_removal(
        desk(before), asked(remove("PICTURES.example.org", "api.example.com", "example.org", "*"))
    )

    event = event_of(decision)
    assert event.domains == ("api.example.com", "example.net")
    assert event.domains_revision == before.domains_revision + 1
    assert words(applied(decision).verdicts) == [
        ("domains/api.example.com", "refused", "declared"),
        ("domains/example.org", "unchanged", "not_there"),
        ("domains/*", "refused", "wildcard_misplaced"),
    ]
    [change] = applied(decision).state.changes
    assert (change.rule, change.what, change.reason) == (PICTURES, "removed", "They moved.")


def test_a_declared_rule_with_slots_cannot_be_removed_either() -> None:
    decision = decide_removal(desk(installation()), asked(remove("{host}:{port}")))

    assert refusal(decision) == "domains_refused"


def test_what_was_added_under_other_rules_can_still_be_removed() -> None:
    before = installation(added=added("*.amazonaws.com"))

    event = event_of(decide_removal(desk(before), asked(remove("*.amazonaws.com"))))

    assert event.added == ()


def test_domains_can_be_removed_where_none_can_be_added_any_more() -> None:
    fixed = installation(review(additional_domains=given.FIXED), added=added(PICTURES))

    event = event_of(decide_removal(desk(fixed), asked(remove(PICTURES))))

    assert (event.added, event.domains_revision) == ((), fixed.domains_revision)


def test_changing_domains_needs_an_installation() -> None:
    assert refusal(decide_addition(desk(), asked(add(PICTURES)))) == "not_installed"
    assert refusal(decide_removal(desk(), asked(remove(PICTURES)))) == "not_installed"


def test_changing_domains_waits_for_the_licence() -> None:
    suspended = desk(installation(state="suspended"), is_licensed=False)

    with pytest.raises(NotYetKnown) as adding:
        decide_addition(suspended, asked(add(PICTURES)))
    with pytest.raises(NotYetKnown) as removing:
        decide_removal(suspended, asked(remove(PICTURES)))

    assert adding.value.otherwise.reason == removing.value.otherwise.reason == "not_licensed"


def test_a_verdict_names_what_was_typed() -> None:
    decision = decide_addition(desk(installation()), asked(add("com", PICTURES)))

    [verdict] = applied(decision).verdicts
    assert isinstance(verdict, Verdict)
    assert verdict.subject == "domains/com"
