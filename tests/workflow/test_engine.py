"""An engine's registration and its log: which command is in its place, and what it takes."""

from dataclasses import replace

import pytest
from keyturn_contracts.keys import new_engine_sealing_key, new_signing_key, public_jwk
from keyturn_contracts.registration import prove_possession
from keyturn_contracts.workflow import (
    AccountUnbound,
    BeginEpoch,
    EngineRegistered,
    EngineRetired,
    EpochBegun,
    OutOfPlace,
    RetireEngine,
)

from services.workflow.rules.confirmation import decide_confirmation
from services.workflow.rules.engine import (
    EngineCommand,
    EngineLog,
    decide_drop,
    decide_epoch,
    decide_registration,
    decide_retirement,
)
from services.workflow.rules.holding import Holding, Standing
from shared.decisions import Applied, Refused, Unchanged
from shared.messaging.envelope import Asked
from tests.workflow.given import MEMBER, GivenEngine, by_person

RETIRE = RetireEngine(engine_id="e1", reason="Sold.")


def registered(engine: GivenEngine) -> EngineLog:
    decision = decide_registration(None, engine.registered())
    assert isinstance(decision, Applied)
    return decision.state


def begun(engine: GivenEngine) -> EngineLog:
    decision = decide_epoch(registered(engine), engine.begin())
    assert isinstance(decision, Applied)
    return decision.state


def place(log: EngineLog) -> tuple[int, int]:
    return log.engine.epoch, log.engine.number


def reason(decision: object) -> str:
    assert isinstance(decision, Refused)
    return decision.reason  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  any decision


def test_an_administrator_registers_an_engine() -> None:
    engine = GivenEngine()

    decision = decide_registration(None, engine.registered())

    assert isinstance(decision, Applied)
    [event] = decision.events
    assert isinstance(event, EngineRegistered)
    assert (event.engine_id, event.state, event.epoch, event.number) == ("e1", "registered", 0, 0)
    assert event.sig.thumbprint() == engine.sig.thumbprint()


def test_only_an_administrator_registers_and_retires() -> None:
    engine = GivenEngine()
    registration = by_person(engine.registration(), roles=MEMBER)
    assert reason(decide_registration(None, registration)) == "not_an_administrator"
    retirement = by_person(RETIRE, roles=MEMBER)
    assert reason(decide_retirement(registered(engine), retirement)) == "not_an_administrator"


def test_registering_the_same_again_changes_nothing_and_another_is_refused() -> None:
    engine = GivenEngine()
    log = registered(engine)
    again = engine.registration().model_copy(update={"name": "Another"})

    assert isinstance(decide_registration(log, engine.registered()), Unchanged)
    assert reason(decide_registration(log, by_person(again))) == "engine_exists"


def test_the_id_of_a_retired_engine_is_never_registered_again() -> None:
    engine = GivenEngine()
    retired = decide_retirement(registered(engine), by_person(RETIRE))
    assert isinstance(retired, Applied)

    assert reason(decide_registration(retired.state, engine.registered())) == "engine_exists"


OTHER = public_jwk(new_engine_sealing_key(), "enc")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"engine_kind": "leasing", "lease_seconds": None}, "lease_missing"),
        ({"enc": OTHER}, "proof_wrong"),
        ({"engine_id": "e2"}, "proof_wrong"),
        ({"sig": public_jwk(new_signing_key(), "sig")}, "proof_wrong"),
        ({"proof": "no.such.proof"}, "proof_wrong"),
        ({"sig": OTHER}, "key_invalid"),
        ({"enc": OTHER.model_copy(update={"use": "sig"})}, "key_invalid"),
        ({"enc": OTHER.model_copy(update={"x": "AA"})}, "key_invalid"),
        ({"enc": OTHER.model_copy(update={"kid": "mine"})}, "key_invalid"),
    ],
)
def test_a_registration_is_refused(changes: dict[str, object], expected: str) -> None:
    command = GivenEngine().registration().model_copy(update=changes)

    assert reason(decide_registration(None, by_person(command))) == expected


def test_a_registration_proven_for_another_brand_is_refused() -> None:
    engine = GivenEngine()
    enc = public_jwk(engine.enc, "enc")
    proof = prove_possession(engine.sig, brand="rival", engine_id="e1", enc=enc)
    command = engine.registration().model_copy(update={"proof": proof})

    assert reason(decide_registration(None, by_person(command))) == "proof_wrong"


def test_retiring_an_engine_unbinds_all_it_holds_and_ends_its_commands() -> None:
    engine = GivenEngine()
    bound = Holding(count=2, allowed_count=1, announced=Standing(is_bound=True, is_allowed=True))
    log = replace(begun(engine), holdings={"mail": bound, "chat": Holding()})

    decision = decide_retirement(log, by_person(RETIRE))

    assert isinstance(decision, Applied)
    assert [type(one) for one in decision.events] == [EngineRetired, AccountUnbound]
    assert decision.state.holdings["mail"].allowed_count == 0
    assert decision.state.changed == {"mail", "chat"}
    assert reason(decide_epoch(decision.state, engine.begin())) == "engine_retired"
    assert isinstance(decide_retirement(decision.state, by_person(RETIRE)), Unchanged)
    assert reason(decide_retirement(None, by_person(RETIRE))) == "engine_unknown"


# An engine's log.


def test_a_first_epoch_asks_for_no_list_that_is_empty_on_both_sides() -> None:
    engine = GivenEngine()

    decision = decide_epoch(registered(engine), engine.begin())

    assert isinstance(decision, Applied)
    assert decision.details == EpochBegun(list_wanted=False)
    assert place(decision.state) == (1, 1)


@pytest.mark.parametrize(("count", "digest"), [(1, "0" * 64), (0, "f" * 64)])
def test_a_new_epoch_asks_for_the_list_when_count_or_digest_differ(count: int, digest: str) -> None:
    engine = GivenEngine()

    decision = decide_epoch(registered(engine), engine.begin(count, digest))

    assert isinstance(decision, Applied)
    assert decision.details == EpochBegun(list_wanted=True)


def test_a_higher_epoch_always_takes_effect_and_fences_the_older_ones() -> None:
    engine = GivenEngine()
    log = begun(engine)
    late = engine.next(engine.confirmation(1))
    engine.epoch = 7

    decision = decide_epoch(log, engine.begin())

    assert isinstance(decision, Applied)
    assert place(decision.state) == (8, 1)
    refused = decide_confirmation(decision.state, late)
    assert reason(refused) == "out_of_place"


@pytest.mark.parametrize(
    ("epoch", "number"),
    [(1, 1), (1, 3), (1, 4), (2, 1), (2, 2), (0, 1), (0, 2), (None, None), (1, None), (None, 2)],
)
def test_what_is_out_of_place_takes_no_number_and_is_told_where_the_log_stands(
    epoch: int | None, number: int | None
) -> None:
    engine = GivenEngine()
    log = begun(engine)

    decision = decide_confirmation(log, engine.at(engine.confirmation(1), epoch, number))

    assert isinstance(decision, Refused)
    assert (decision.reason, decision.state) == ("out_of_place", None)
    assert decision.details == OutOfPlace(epoch=1, number=1)


@pytest.mark.parametrize(("epoch", "number"), [(1, 1), (1, 2), (0, 1), (2, 2), (None, None)])
def test_an_epoch_begins_once_above_the_last_and_with_number_one(
    epoch: int | None, number: int | None
) -> None:
    engine = GivenEngine()
    log = begun(engine)
    begin = BeginEpoch(engine_id="e1", count=0, digest="0" * 64)

    assert reason(decide_epoch(log, engine.at(begin, epoch, number))) == "out_of_place"


def test_nothing_is_in_place_before_the_first_epoch_begins() -> None:
    engine = GivenEngine()
    log = registered(engine)

    for epoch, number in ((0, 1), (0, 0), (1, 1), (1, 2)):
        asked = engine.at(engine.confirmation(1), epoch, number)
        assert reason(decide_confirmation(log, asked)) == "out_of_place"


def test_only_the_engine_itself_writes_its_log() -> None:
    engine, other = GivenEngine(), GivenEngine("e2")
    log = begun(engine)
    forged = other.at(engine.confirmation(1), 1, 2)

    decision = decide_confirmation(log, forged)

    assert isinstance(decision, Refused)
    assert (decision.reason, decision.state) == ("not_this_engine", None)
    assert reason(decide_epoch(log, by_person(engine.begin().command))) == "not_this_engine"
    assert reason(decide_epoch(None, by_person(engine.begin().command))) == "not_this_engine"
    assert reason(decide_epoch(None, engine.begin())) == "engine_unknown"


def test_a_dropped_command_has_taken_its_number() -> None:
    engine = GivenEngine()
    log = begun(engine)
    dropped: Asked[EngineCommand] = engine.confirm(1)

    decision = decide_drop(log, dropped)

    assert isinstance(decision, Refused)
    assert decision.reason == "dropped"
    assert decision.state is not None
    assert place(decision.state) == (1, 2)
    assert reason(decide_drop(log, engine.at(dropped.command, 1, 9))) == "out_of_place"
