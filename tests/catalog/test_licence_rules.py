"""What a licence covers, and who may set it."""

from collections.abc import Iterable

import pytest
from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import LicenceChanged, SetLicence

from services.catalog.rules.licence import Desk, decide_licence
from services.catalog.rules.plan import PlanError, plans_of, problem_of, read_plans
from shared.decisions import Applied, Refused, Unchanged
from shared.messaging.envelope import Asked
from tests.catalog.given import licence

PLANS = {"mail": frozenset({"smtp-relay", "imap"}), "chat": frozenset({"slack"})}
DESK = Desk(plans=PLANS, known=frozenset({"smtp-relay", "imap", "slack", "parcels"}))


def granted(asked: Asked[SetLicence], desk: Desk = DESK) -> Desk:
    decision = decide_licence(desk, asked)
    assert isinstance(decision, Applied), decision
    return decision.state


def test_a_licence_covers_what_is_named_and_what_is_in_its_plans() -> None:
    decision = decide_licence(DESK, licence("slack", "parcels", "slack", plans=["mail"]))

    assert isinstance(decision, Applied)
    assert decision.events == (
        LicenceChanged(extensions=("imap", "parcels", "slack", "smtp-relay"), plans=("mail",)),
    )
    assert decision.state.licence is not None
    assert decision.state.licence.extensions == ("parcels", "slack")
    assert decision.state.licence.set_by == "root"


def test_the_same_licence_in_another_order_is_unchanged() -> None:
    desk = granted(licence("slack", "parcels", plans=["mail", "chat"]))

    decision = decide_licence(desk, licence("parcels", "slack", plans=["chat", "mail"]))

    assert isinstance(decision, Unchanged)


def test_naming_what_a_plan_covers_is_a_change_though_it_covers_no_more() -> None:
    """It stays when the plan shrinks."""
    desk = granted(licence(plans=["chat"]))

    decision = decide_licence(desk, licence("slack", plans=["chat"]))

    assert isinstance(decision, Applied)
    assert decision.events == (LicenceChanged(extensions=("slack",), plans=("chat",)),)


def test_a_licence_shrinks_to_nothing() -> None:
    desk = granted(licence("slack"))

    decision = decide_licence(desk, licence())

    assert isinstance(decision, Applied)
    assert decision.events == (LicenceChanged(extensions=()),)


@pytest.mark.parametrize(
    ("extensions", "plans", "reason", "said"),
    [
        (("slack", "slak", "zzz"), (), "extension_unknown", "called slak, zzz: nothing was"),
        (
            (),
            ("mail", "male"),
            "plan_unknown",
            "called male: nothing was changed. There are: chat",
        ),
    ],
)
def test_one_name_that_nobody_knows_refuses_all_of_it(
    extensions: Iterable[str], plans: Iterable[str], reason: str, said: str
) -> None:
    decision = decide_licence(DESK, licence(*extensions, plans=plans))

    assert isinstance(decision, Refused)
    assert decision.reason == reason
    assert said in decision.message


def test_many_unknown_names_are_counted() -> None:
    decision = decide_licence(DESK, licence(*(f"x{number}" for number in range(30))))

    assert isinstance(decision, Refused)
    assert "and 20 more" in decision.message


@pytest.mark.parametrize("roles", [(), ("administrator",), ("publisher", "member")])
def test_only_an_operator_sets_a_licence(roles: Iterable[Role]) -> None:
    decision = decide_licence(DESK, licence("slack", roles=roles))

    assert isinstance(decision, Refused)
    assert decision.reason == "not_an_operator"


def test_an_operators_plan_takes_the_place_of_a_shipped_one_by_its_name() -> None:
    shipped = read_plans("mail: [smtp-relay]\nchat: [slack]\n")

    assert plans_of(shipped, {"chat": ("parcels",), "own": ()}) == {
        "mail": {"smtp-relay"},
        "chat": {"parcels"},
        "own": set[str](),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mail: [", "are not YAML"),
        ("mail: smtp-relay", "wrong at mail"),
        ("mail: [SMTP Relay]", "wrong at mail.0"),
        ("a plan: []", "wrong at a plan"),
        ("- mail", "wrong at "),
    ],
)
def test_plans_that_are_none_are_refused_by_their_place(text: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        read_plans(text)


def test_no_plans_are_plans_too() -> None:
    assert read_plans("") == {}


def test_a_plan_is_not_followed_that_names_the_unknown_or_that_brands_would_miss() -> None:
    too_many = {"all": frozenset(f"e{number}" for number in range(5001))}

    assert problem_of(PLANS, unknown=(), missed=()) is None
    assert "The plans chat name extensions that were never" in str(
        problem_of(PLANS, unknown={"slack"}, missed=())
    )
    assert "give them back" in str(problem_of(PLANS, unknown=(), missed={"gone"}))
    assert "more than 5000" in str(problem_of(too_many, unknown=(), missed=()))
