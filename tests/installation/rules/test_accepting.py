"""Installing, and accepting what a newer version asks for."""

from dataclasses import replace
from typing import Any

import pytest
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.installation import ReviewChanged

from services.installation.rules.accepting import decide_acceptance, decide_installation
from services.installation.rules.installation import Desk
from services.installation.rules.reach import Settings
from services.installation.rules.review import digest_of
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from tests.installation import given
from tests.installation.given import LATER, NOON, accept, install, offer, review
from tests.installation.rules.on_desk import added, asked, consent, desk, installation

WIDER = offer(2, permissions=(given.CONTACTS, given.permission("tickets")))
NARROWER = offer(2, permissions=())


def applied(decision: Decision[Desk, str]) -> tuple[Desk, Any]:
    assert isinstance(decision, Applied), decision
    [event] = decision.events
    return decision.state, event


def refused(decision: Decision[Desk, str]) -> Refused[Desk, str]:
    assert isinstance(decision, Refused), decision
    return decision


def waits_as(desk: Desk | None, command: Any, decide: Any) -> str:
    with pytest.raises(NotYetKnown) as raised:
        decide(desk, asked(command))
    return raised.value.otherwise.reason


def test_what_was_shown_is_installed_and_the_consent_is_on_record() -> None:
    command = asked(install(), by="ada")

    after, event = applied(decide_installation(desk(), command))

    assert type(event).__name__ == "ExtensionInstalled"
    assert (event.state, event.version, event.domains) == ("installed", 1, ("api.example.com",))
    assert (event.domains_revision, event.permissions) == (1, ("contacts",))
    assert [one.rule for one in event.declared] == ["api.example.com", "{host}:{port}"]
    assert [one.slots for one in event.declared] == [{}, review().domains[1].slots]
    [record] = after.accepted
    assert (record.issuer, record.review) == ("local", review())
    assert record.consent == event.consent
    assert (event.consent.id, event.consent.by, event.consent.at) == (command.id.id, "ada", NOON)
    assert event.consent.digest == offer().digest
    assert event.consent.suffix_list == event.suffix_list == SUFFIX_LIST_VERSION
    assert (event.consent.privacy_policy, event.consent.terms) == (given.PRIVACY, given.TERMS)


def test_only_an_administrator_installs_or_accepts() -> None:
    on_it = desk(installation())

    first = decide_installation(on_it, asked(install(), roles=("member",)))
    second = decide_acceptance(on_it, asked(accept("0" * 64), roles=("member",)))

    assert refused(first).reason == refused(second).reason == "not_an_administrator"


def test_an_extension_whose_news_has_not_come_is_waited_for() -> None:
    assert waits_as(desk(offer=None), install(), decide_installation) == "extension_unknown"
    assert waits_as(None, install(), decide_installation) == "extension_unknown"


def test_a_licence_that_does_not_cover_it_is_waited_for_and_names_whom_to_ask() -> None:
    with pytest.raises(NotYetKnown) as raised:
        decide_installation(desk(is_licensed=False), asked(install()))

    assert raised.value.otherwise.reason == "not_licensed"
    assert raised.value.otherwise.message == (
        "loud-mail is not in your licence; reach out to the test's operator."
    )


def test_a_first_party_extension_is_there_already() -> None:
    own = desk(offer=given.first_offer())

    decision = decide_installation(own, asked(install(given.RELAY)))

    assert refused(decision).reason == "already_implicit"


def test_a_retired_extension_is_not_installed_any_more() -> None:
    gone = desk(offer=replace(offer(), is_retired=True))

    assert refused(decide_installation(gone, asked(install()))).reason == "extension_retired"


def test_a_stale_digest_is_refused_with_what_is_different() -> None:
    old = offer()
    on_it = desk(offer=WIDER, reviews={old.digest: old.review})

    decision = refused(decide_installation(on_it, asked(install(digest=old.digest))))

    assert decision.reason == "review_stale"
    assert decision.details == ReviewChanged(
        digest=WIDER.digest, changes=("It may read tickets: It needs them.",)
    )


def test_a_digest_of_nothing_is_refused_too() -> None:
    decision = refused(decide_installation(desk(), asked(install(digest="0" * 64))))

    assert isinstance(decision.details, ReviewChanged)
    assert decision.details.digest == offer().digest
    assert len(decision.details.changes) == 1


def test_what_is_installed_is_not_installed_again() -> None:
    decision = decide_installation(desk(installation()), asked(install()))

    assert isinstance(decision, Unchanged)
    assert decision.state is None


def test_installing_the_newest_of_what_is_installed_accepts_it() -> None:
    on_it = desk(installation(), offer=WIDER)

    _, event = applied(decide_installation(on_it, asked(install(digest=WIDER.digest))))

    assert type(event).__name__ == "ChangeAccepted"
    assert (event.version, event.permissions) == (2, ("contacts", "tickets"))


def test_the_consent_of_what_is_installed_is_no_stale_one_while_more_is_proposed() -> None:
    decision = decide_installation(desk(installation(), offer=WIDER), asked(install()))

    assert isinstance(decision, Unchanged)


def test_nothing_is_installed_while_it_is_being_uninstalled() -> None:
    decision = decide_installation(desk(installation(state="uninstalling")), asked(install()))

    assert refused(decision).reason == "uninstalling"


def test_after_an_uninstallation_it_begins_afresh_with_a_new_consent() -> None:
    gone = installation(
        state="uninstalled", added=added("pictures.example.org"), domains_revision=7
    )

    after, event = applied(decide_installation(desk(gone), asked(install(), at=LATER)))

    assert (event.added, event.uninstallation, event.state) == ((), None, "installed")
    assert event.domains_revision == gone.domains_revision + 1
    assert event.consent.at == LATER
    assert len(after.accepted) == 1


def test_accounts_that_are_there_give_their_hosts_at_once() -> None:
    accounts = (Settings({"host": "smtp.example.net", "port": "587"}),)

    _, event = applied(decide_installation(desk(accounts=accounts), asked(install())))

    assert event.domains == ("api.example.com", "smtp.example.net:587")


def test_what_is_proposed_is_accepted_as_it_was_shown() -> None:
    after, event = applied(
        decide_acceptance(
            desk(installation(), offer=WIDER), asked(accept(WIDER.digest), by="bob", at=LATER)
        )
    )

    assert type(event).__name__ == "ChangeAccepted"
    assert (event.version, event.permissions) == (2, ("contacts", "tickets"))
    assert (event.consent.by, event.consent.version, event.proposed) == ("bob", 2, None)
    assert after.accepted[0].review == WIDER.review


def test_accepting_another_review_than_the_newest_is_refused_with_what_is_different() -> None:
    newest = offer(3, permissions=(given.CONTACTS, given.permission("users")))
    on_it = desk(installation(), offer=newest, reviews={WIDER.digest: WIDER.review})

    decision = refused(decide_acceptance(on_it, asked(accept(WIDER.digest))))

    assert decision.reason == "review_stale"
    assert decision.details == ReviewChanged(
        digest=newest.digest,
        changes=("It may read users: It needs them.", "It may no longer read tickets."),
    )


def test_where_nothing_is_proposed_there_is_nothing_to_accept() -> None:
    decision = decide_acceptance(desk(installation(), offer=NARROWER), asked(accept("0" * 64)))

    assert refused(decision).reason == "nothing_proposed"


def test_of_what_the_catalog_has_not_told_there_is_nothing_to_accept() -> None:
    decision = decide_acceptance(desk(installation(), offer=None), asked(accept("0" * 64)))

    assert refused(decision).reason == "nothing_proposed"


def test_accepting_the_same_again_changes_nothing() -> None:
    same = installation(WIDER.review, consent=consent(WIDER.review))

    decision = decide_acceptance(desk(same, offer=WIDER), asked(accept(WIDER.digest)))

    assert isinstance(decision, Unchanged)


def test_a_first_party_extension_proposes_nothing() -> None:
    own = desk(
        installation(given.first_offer().review),
        offer=given.first_offer(version=2, domains=(given.API,)),
    )

    assert refused(decide_acceptance(own, asked(accept("0" * 64)))).reason == "nothing_proposed"


def test_accepting_drops_hosts_that_the_new_pattern_does_not_let_in() -> None:
    stricter = given.SERVER.model_copy(update={"slots": {"host": "smtp[.].+", "port": "[0-9]+"}})
    newest = offer(2, domains=(stricter,))
    accounts = tuple(
        Settings({"host": one, "port": "587"}) for one in ("smtp.example.net", "mail.example.net")
    )

    _, event = applied(
        decide_acceptance(
            desk(installation(), offer=newest, accounts=accounts), asked(accept(newest.digest))
        )
    )

    assert event.domains == ("smtp.example.net:587",)


def test_accepting_needs_an_installation_and_its_licence() -> None:
    decision = decide_acceptance(desk(), asked(accept("0" * 64)))
    assert refused(decision).reason == "not_installed"

    gone = desk(installation(state="uninstalling"))
    assert refused(decide_acceptance(gone, asked(accept("0" * 64)))).reason == "not_installed"

    suspended = desk(installation(state="suspended"), is_licensed=False)
    assert waits_as(suspended, accept("0" * 64), decide_acceptance) == "not_licensed"

    # A job installs what is the platform's own, as soon as the licence's news has come.
    coming = desk(offer=given.first_offer())
    assert waits_as(coming, accept("0" * 64), decide_acceptance) == "not_installed"


def test_a_digest_is_that_of_the_review() -> None:
    assert offer().digest == digest_of(review())
