"""What an engine takes from the events: its own, once, in any order."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from keyturn_client.engine import journal, memory
from keyturn_client.engine.accounts import Kept
from keyturn_client.engine.hearing import News, about, hear
from keyturn_client.engine.store import Store
from keyturn_client.keys import EngineKeys
from keyturn_client.wire import Heard, Read
from keyturn_contracts.credential_vault import CredentialsRotated, HolderRef
from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.keys import public_jwk
from keyturn_contracts.message import Event
from keyturn_contracts.workflow import (
    AccountBound,
    AccountUnbound,
    EngineRegistered,
    EngineRetired,
    EngineState,
    Reach,
    RolloutProgressed,
    RolloutState,
    WaitingLeg,
    WhyWaiting,
)

from tests.client.given import BRAND, ENGINE, WHO, given_store, given_workflow

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = given_store(tmp_path)
    with opened.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
    yield opened
    opened.close()


def told(store: Store, *events: Event, epoch: int = 1) -> News:
    heard = [
        Heard(event=one, brand=BRAND, epoch=epoch, sequence=n, appended_at=NOW)
        for n, one in enumerate(events)
    ]
    with store.transaction() as connection:
        return hear(connection, WHO, heard, {("keyturn.workflow.events", 3): len(events)})


def rotated(account: str, version: int, *holders: str) -> CredentialsRotated:
    return CredentialsRotated(
        account_id=account,
        extension="smtp-relay",
        scheme="password",
        name="Mail",
        settings={},
        creator="ada",
        state="connected",
        version=version,
        holders=tuple(HolderRef(engine_id=one) for one in holders),
        retire="when-complete",
    )


def bound(number: int, *, engine_id: str = ENGINE) -> AccountBound:
    return AccountBound(
        engine_id=engine_id, account_id="mail", bound=True, allowed=True, suspensions=number
    )


def test_the_newest_number_of_its_own_holdings_is_heard(store: Store) -> None:
    news = told(store, bound(1), bound(2), bound(9, engine_id="e2"))

    assert news.suspensions == {"mail": 2}
    assert news.bound == {"mail"}


def progressed(
    version: int,
    *waiting: tuple[str, WhyWaiting],
    asked: int = 1,
    state: RolloutState = "open",
) -> RolloutProgressed:
    return RolloutProgressed(
        rollout_id=f"mail.{version}",
        account_id="mail",
        version=version,
        account_epoch=1,
        state=state,
        opened_at=NOW,
        deadline=NOW,
        legs=1,
        done=0,
        waiting=tuple(WaitingLeg(engine_id=one, why=why) for one, why in waiting),
        asked=asked,
    )


def test_a_version_of_a_bound_account_is_heard(store: Store) -> None:
    assert told(store, rotated("mail", 3)).kept == {"mail": Kept(heard=3)}


def test_an_account_that_is_none_of_its_own_is_passed_over(store: Store) -> None:
    assert told(store, rotated("crm", 3, "e2")).kept == {}


def test_a_holder_is_counted_on_whether_it_is_bound_or_not(store: Store) -> None:
    assert told(store, rotated("crm", 3, ENGINE)).kept == {"crm": Kept(heard=3, named=3)}


def test_the_newest_version_wins_in_any_order(store: Store) -> None:
    assert told(store, rotated("mail", 4), rotated("mail", 2)).kept == {"mail": Kept(heard=4)}


def test_a_rollout_that_waits_for_this_engine_is_heard(store: Store) -> None:
    news = told(store, progressed(4, (ENGINE, "unconfirmed"), asked=2))
    assert news.kept == {
        "mail": Kept(heard=4, named=4, owes="confirmation", asked=(1, 4, 2)),
    }


def test_what_vanished_asks_for_the_list(store: Store) -> None:
    news = told(store, progressed(4, (ENGINE, "failed"), (ENGINE, "vanished")))
    assert news.kept["mail"].owes == "list"


@pytest.mark.parametrize(
    "event",
    [
        progressed(4, ("e2", "unconfirmed")),
        progressed(4, (ENGINE, "lease")),
        progressed(4, (ENGINE, "unconfirmed"), state="superseded"),
    ],
    ids=["another engine", "a lease", "ended"],
)
def test_a_rollout_that_does_not_wait_for_it_changes_nothing(
    store: Store, event: RolloutProgressed
) -> None:
    assert told(store, event).kept == {}


def test_holdings_of_this_engine_say_what_may_be_fetched(store: Store) -> None:
    news = told(
        store,
        AccountBound(engine_id=ENGINE, account_id="mail", bound=True, allowed=True),
        AccountUnbound(engine_id=ENGINE, account_id="crm", bound=True, allowed=False),
        AccountBound(engine_id="e2", account_id="chat", bound=True, allowed=True),
    )
    assert (news.bound, news.unbound) == ({"mail"}, {"crm"})


def engine_event(kind: type[EngineRegistered | EngineRetired], epoch: int = 0) -> Event:
    keys = EngineKeys.new()
    state: EngineState = "retired" if kind is EngineRetired else "registered"
    return kind(
        engine_id=ENGINE,
        name="Mailer",
        engine_kind="confirming",
        reach=Reach(all=True),
        sig=public_jwk(keys.sig, "sig"),
        enc=public_jwk(keys.enc, "enc"),
        state=state,
        epoch=epoch,
    )


def test_a_retired_engine_stops(store: Store) -> None:
    stop = told(store, engine_event(EngineRetired)).stop
    assert stop is not None
    assert stop.reason == "retired"


def test_an_engine_that_hears_of_an_epoch_above_its_own_stops(store: Store) -> None:
    assert told(store, engine_event(EngineRegistered, epoch=1)).stop is None
    stop = told(store, engine_event(EngineRegistered, epoch=2)).stop
    assert stop is not None
    assert stop.reason == "another_process"


def test_a_restored_service_is_noticed_once(store: Store) -> None:
    assert not told(store, progressed(4), epoch=1).restored
    assert told(store, progressed(4), epoch=2).restored
    assert not told(store, progressed(4), epoch=2).restored
    assert not told(store, progressed(4), epoch=1).restored


def test_how_far_was_read_is_noted_with_what_it_told(store: Store) -> None:
    told(store, rotated("mail", 3))
    with store.transaction() as connection:
        assert memory.load_offsets(connection) == {("keyturn.workflow.events", 3): 1}
        assert memory.load_all(connection) == {"mail": Kept(heard=3)}


def record_of(event: Event, brand: str) -> Read:
    key = event.key(brand)
    envelope = Envelope(
        id=new_id(),
        type=event.type_name(),
        source=f"/keyturn/{event.service}",
        subject=key.subject,
        brand=brand,
        time=NOW,
        epoch=1,
        sequence=1,
    )
    return Read(
        place=("keyturn.workflow.events", 0),
        offset=0,
        appended_at=NOW,
        key=str(key).encode(),
        value=event.to_json(),
        headers=envelope.to_headers(),
    )


def test_of_all_records_those_of_its_brand_and_its_own_are_read() -> None:
    bound = AccountBound(engine_id=ENGINE, account_id="mail", bound=True, allowed=True)
    strange = AccountBound(engine_id="e2", account_id="mail", bound=True, allowed=True)
    records = [
        record_of(rotated("mail", 3), BRAND),
        record_of(rotated("mail", 4), "twin"),
        record_of(bound, BRAND),
        record_of(strange, BRAND),
    ]
    assert [one.event for one in about(WHO, records)] == [rotated("mail", 3), bound]


def test_a_record_that_cannot_be_read_is_passed_over_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = record_of(rotated("mail", 3), BRAND)
    no_headers = Read(
        place=good.place,
        offset=7,
        appended_at=NOW,
        key=good.key,
        value=good.value,
        headers=[("ce_id", None)],
    )
    no_json = Read(
        place=good.place,
        offset=8,
        appended_at=NOW,
        key=good.key,
        value=b"{",
        headers=good.headers,
    )
    assert [one.event for one in about(WHO, [no_headers, no_json, good])] == [rotated("mail", 3)]
    assert "keyturn.workflow.events[0]@7 is no event" in caplog.text
    assert "keyturn.workflow.events[0]@8 is not as its contract says" in caplog.text
