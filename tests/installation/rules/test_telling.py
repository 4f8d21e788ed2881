"""What events say of the domains that are in force."""

from keyturn_contracts.catalog import FieldSpec
from keyturn_contracts.installation import InstallationChanged

from services.installation.rules.following import Facts, follow
from services.installation.rules.installation import told
from shared.decisions import Applied
from tests.installation import given
from tests.installation.given import NOON, domain, offer, review
from tests.installation.rules.on_desk import POLICY, installation

SLOTS = domain("{made}", slots={"made": given.HOST})
SETTING = FieldSpec(name="host", title="Host", default="api.example.com")
"""Named by the template."""


def test_an_event_says_what_fills_the_slots_as_it_was_accepted() -> None:
    """A newer version, which fills the same rule in another way, waits to be accepted."""
    accepted = review(
        domains=(SLOTS, given.API), derived=(given.derived("made", "{host}"),), settings=(SETTING,)
    )
    newer = offer(2, domains=(SLOTS,), derived=(given.derived("made", "evil.example.net"),))

    followed = follow(installation(accepted), Facts(offer=newer, is_licensed=True), NOON, POLICY)

    assert isinstance(followed, Applied)
    [event] = followed.events
    assert isinstance(event, InstallationChanged)
    assert event.proposed is not None
    [declared] = event.declared
    assert (declared.rule, declared.derived) == ("{made}", {"made": ("{host}",)})
    assert declared.defaults == {"host": "api.example.com"}


def test_that_nothing_fills_in_is_told_too() -> None:
    [plain, slots] = told(installation(review(domains=(given.API, given.SERVER))))["declared"]

    assert (plain.derived, plain.defaults) == ({}, {})
    assert (slots.derived, slots.defaults) == ({}, {})
