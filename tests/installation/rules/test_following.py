"""What follows from the news of other services, whatever came and in which order."""

from dataclasses import replace
from typing import Any

from keyturn_contracts.installation import InstallationChanged, ProposedChange

from services.installation.rules.following import Facts, follow
from services.installation.rules.installation import Installation
from services.installation.rules.reach import Settings
from services.installation.rules.review import offer_of
from shared.decisions import Applied, Unchanged
from tests.installation import given
from tests.installation.given import API, NOON, SERVER, domain, first_offer, offer, review
from tests.installation.rules.on_desk import POLICY, added, begun, consent, installation

PICTURES = "pictures.example.org"
ACCOUNT = Settings({"host": "smtp.example.net", "port": "587"})
LICENSED = Facts(offer=offer(), is_licensed=True)


def facts(**changes: Any) -> Facts:
    return replace(LICENSED, **changes)


def told(before: Installation | None, known: Facts) -> InstallationChanged:
    """Follow; it settles, so that a second look finds nothing."""
    decision = follow(before, known, NOON, POLICY)
    assert isinstance(decision, Applied), decision
    [event] = decision.events
    assert isinstance(event, InstallationChanged)
    again = follow(decision.state, known, NOON, POLICY)
    assert isinstance(again, Unchanged)
    assert again.state is None
    return event


def name(event: InstallationChanged) -> str:
    return type(event).__name__


def test_a_first_party_extension_is_there_when_it_is_licensed() -> None:
    event = told(None, facts(offer=first_offer(), accounts=(ACCOUNT,)))

    assert name(event) == "ExtensionInstalled"
    assert (event.state, event.implicit, event.party) == ("installed", True, "first")
    assert (event.domains, event.domains_revision) == (("smtp.example.net:587",), 1)
    assert event.consent is None


def test_nothing_is_there_that_nobody_installed() -> None:
    nothing = (
        LICENSED,
        facts(offer=None),
        facts(offer=first_offer(), is_licensed=False),
        facts(offer=offer_of(given.retired(given.SMTP_RELAY))),
    )

    for known in nothing:
        assert isinstance(follow(None, known, NOON, POLICY), Unchanged)


def test_a_licence_that_shrinks_suspends_and_nothing_is_lost() -> None:
    before = installation(added=added(PICTURES))

    event = told(before, facts(is_licensed=False))

    assert (name(event), event.state) == ("ExtensionSuspended", "suspended")
    assert (event.domains, event.permissions) == ((), ())
    assert event.domains_revision == before.domains_revision + 1
    assert (event.added, event.consent) == (before.added, before.consent)


def test_a_licence_that_grows_back_brings_it_back_as_it_was() -> None:
    before = installation(added=added(PICTURES))
    decision = follow(before, facts(is_licensed=False), NOON, POLICY)
    assert isinstance(decision, Applied)

    event = told(decision.state, LICENSED)

    assert (name(event), event.domains) == ("ExtensionInstalled", before.domains)
    assert event.domains_revision == before.domains_revision + 2


def test_a_retired_extension_goes_on_and_comes_back_where_it_was_suspended() -> None:
    gone = facts(offer=replace(offer(), is_retired=True))

    assert isinstance(follow(installation(), gone, NOON, POLICY), Unchanged)
    assert name(told(installation(state="suspended"), gone)) == "ExtensionInstalled"


def test_a_newer_version_of_the_platforms_own_holds_at_once() -> None:
    before = installation(first_offer().review)

    event = told(before, facts(offer=first_offer(version=2, domains=(API,))))

    assert (name(event), event.version) == ("ChangeAccepted", 2)
    assert event.domains == ("api.example.com",)


def test_what_only_narrows_holds_at_once() -> None:
    narrower = offer(2, domains=(SERVER,), permissions=())

    event = told(installation(), facts(offer=narrower))

    assert (name(event), event.version) == ("ChangeAccepted", 2)
    assert [one.rule for one in event.declared] == ["{host}:{port}"]
    assert (event.permissions, event.domains) == ((), ())
    assert event.consent == consent(review())
    assert event.proposed is None


def test_a_version_that_says_the_same_takes_the_others_place() -> None:
    event = told(installation(), facts(offer=offer(2, description="In other words.")))

    assert (name(event), event.version) == ("ChangeAccepted", 2)


def test_what_widens_is_proposed_and_what_was_accepted_goes_on() -> None:
    before = installation()
    wider = offer(2, permissions=(given.CONTACTS, given.permission("tickets")))

    event = told(before, facts(offer=wider))

    assert (name(event), event.version, event.permissions) == ("ChangeProposed", 1, ("contacts",))
    assert event.proposed == ProposedChange(
        version=2, digest=wider.digest, changes=("It may read tickets: It needs them.",)
    )
    assert event.domains_revision == before.domains_revision


def test_of_a_version_that_does_both_what_narrows_holds_and_the_rest_is_proposed() -> None:
    both = offer(2, domains=(domain("new.example.net"), SERVER))

    event = told(installation(), facts(offer=both))

    assert (name(event), event.version) == ("ChangeProposed", 1)
    assert ([one.rule for one in event.declared], event.domains) == (["{host}:{port}"], ())
    assert event.proposed is not None
    assert event.proposed.changes == ("It may connect to new.example.net: Why new.example.net.",)


def test_a_proposal_is_replaced_by_the_next_and_withdrawn_by_one_that_asks_for_nothing() -> None:
    first = offer(2, permissions=(given.CONTACTS, given.permission("tickets")))
    second = offer(3, permissions=(given.CONTACTS, given.permission("users")))
    proposed = follow(installation(), facts(offer=first), NOON, POLICY)
    assert isinstance(proposed, Applied)

    replaced = told(proposed.state, facts(offer=second))
    withdrawn = told(proposed.state, facts(offer=offer(4)))

    assert replaced.proposed is not None
    assert (name(replaced), replaced.proposed.digest) == ("ChangeProposed", second.digest)
    assert (name(withdrawn), withdrawn.proposed, withdrawn.version) == ("ChangeAccepted", None, 4)


def test_a_certification_takes_the_warning_away_at_once() -> None:
    event = told(installation(), facts(offer=offer(1, preview=False)))

    assert (name(event), event.preview, event.version) == ("ChangeAccepted", False, 1)


def test_the_platforms_own_that_becomes_a_third_partys_has_to_be_accepted() -> None:
    own = installation(first_offer(given.LOUD).review)
    theirs = offer(2, domains=(SERVER,), permissions=())

    event = told(own, facts(offer=theirs))

    assert (name(event), event.party, event.implicit) == ("ChangeProposed", "first", True)


def test_a_third_partys_that_becomes_the_platforms_own_comes_with_the_licence() -> None:
    event = told(installation(), facts(offer=first_offer(given.LOUD, 2)))

    assert (name(event), event.implicit, event.party) == ("ChangeAccepted", True, "first")


def test_accounts_bring_exact_hosts_and_take_them_along() -> None:
    before = installation()

    event = told(before, facts(accounts=(ACCOUNT,)))
    assert (name(event), event.domains) == (
        "DomainsChanged",
        ("api.example.com", "smtp.example.net:587"),
    )
    assert event.domains_revision == before.domains_revision + 1

    with_account = follow(before, facts(accounts=(ACCOUNT,)), NOON, POLICY)
    assert isinstance(with_account, Applied)
    assert told(with_account.state, LICENSED).domains == before.domains


def test_a_second_account_with_the_same_host_is_told_and_raises_no_revision() -> None:
    first = follow(installation(), facts(accounts=(ACCOUNT,)), NOON, POLICY)
    assert isinstance(first, Applied)

    event = told(first.state, facts(accounts=(replace(ACCOUNT, accounts=2),)))

    assert event.hosts[0].accounts == 2
    assert event.domains_revision == first.state.domains_revision


def test_what_nobody_is_told_of_is_kept_and_announces_nothing() -> None:
    reworded = offer(1, domains=(API.model_copy(update={"purpose": "In other words."}), SERVER))

    decision = follow(installation(), facts(offer=reworded), NOON, POLICY)

    assert isinstance(decision, Unchanged)
    assert decision.state is not None
    assert decision.state.in_force == reworded.review


def test_a_suspended_one_still_hears_of_newer_versions() -> None:
    wider = offer(2, permissions=(given.CONTACTS, given.permission("tickets")))

    event = told(installation(), facts(offer=wider, is_licensed=False))

    assert (name(event), event.state) == ("ExtensionSuspended", "suspended")
    assert event.proposed is not None


def test_what_was_uninstalled_stays_so_unless_it_is_the_platforms_own_now() -> None:
    gone = installation(state="uninstalled", domains_revision=4)

    assert isinstance(follow(gone, LICENSED, NOON, POLICY), Unchanged)
    event = told(gone, facts(offer=first_offer(given.LOUD, 2, domains=(API,))))
    assert (event.implicit, event.consent, event.domains_revision) == (True, None, 5)


def test_a_licence_and_versions_do_not_disturb_an_uninstallation() -> None:
    before = begun()
    wider = offer(2, permissions=(given.CONTACTS, given.permission("tickets")))

    for known in (facts(is_licensed=False), facts(offer=wider), facts(accounts=(ACCOUNT,))):
        assert isinstance(follow(before, known, NOON, POLICY), Unchanged)
