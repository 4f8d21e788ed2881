"""What the demo's result is counted from: lines of the mail server's log."""

import json

from deploy.demo.tally import MailLog, Send, Switch, Tally, count, tried_since, under_way, users_of


class Written:
    """Lines as the mail server writes them."""

    def __init__(self) -> None:
        self.log = MailLog()
        self._session = 0

    @property
    def sends(self) -> list[Send]:
        return self.log.sends

    def note(self, at: float, what: str, **facts: object) -> None:
        self.log.take(json.dumps({"at": at, "what": what, **facts}))

    def send(
        self,
        at: float,
        workflow: str,
        password: str,
        *,
        ends: str = "accepted",
        client: str | None = None,
    ) -> None:
        """One send that takes a second: log-in after 0.4, the message after 0.8."""
        self._session += 1
        facts = {"session": self._session, "client": client or f"{workflow}.engine.demo"}
        self.note(at, "opened", session=self._session)
        self.note(at + 0.1, "hello", **facts)
        if ends == "refused":
            self.note(at + 0.4, "refused", **facts, password=password)
        else:
            self.note(at + 0.4, "login", **facts, password=password)
        if ends == "accepted":
            self.note(at + 0.8, "accepted", **facts, password=password, workflow=workflow)
        self.note(at + 1, "closed", session=self._session)


SWITCH = Switch("first", "second", began_at=100, completed_at=110)


def test_every_send_is_counted_where_it_was_accepted() -> None:
    log = Written()
    for at, password in ((90, "first"), (99.5, "first"), (105, "second"), (109.5, "first")):
        log.send(at, f"w-{at}", password)
    log.send(120, "w-1", "second")
    log.send(121, "w-1", "second")

    tally = count(log.sends, [SWITCH], begun=6)

    assert tally == Tally(before=1, during=2, after=3, failed=0)
    assert tally.accepted == 6


def test_between_two_rotations_is_after() -> None:
    log = Written()
    for at in (90, 105, 115, 125, 135):
        log.send(at, "w", "any")
    switches = [SWITCH, Switch("second", "third", began_at=120, completed_at=130)]

    tally = count(log.sends, switches, begun=5)

    assert (tally.before, tally.during, tally.after) == (1, 2, 2)


def test_a_rotation_that_has_not_completed_is_still_going_on() -> None:
    log = Written()
    for at in (90, 105, 205):
        log.send(at, "w", "first")

    tally = count(log.sends, [Switch("first", "second", began_at=100)], begun=3)

    assert tally == Tally(before=1, during=2, after=0, failed=0)


def test_a_send_that_ended_without_a_message_has_failed() -> None:
    log = Written()
    log.send(90, "w-1", "first")
    log.send(105, "w-2", "first", ends="refused")
    log.send(106, "w-3", "second", ends="broken off")

    tally = count(log.sends, [SWITCH], begun=3)

    assert (tally.failed, tally.refused, tally.late) == (2, {"w-2": 1}, {})


def test_a_send_that_never_reached_the_server_has_failed() -> None:
    log = Written()
    log.send(90, "w-1", "first")

    assert count(log.sends, [SWITCH], begun=4).failed == 3


def test_an_old_password_after_the_completion_is_told_by_workflow_even_where_it_worked() -> None:
    log = Written()
    log.send(109, "w-1", "first")
    log.send(111, "w-liar", "first")
    log.send(112, "w-liar", "first", ends="refused")
    log.send(113, "w-1", "second")

    tally = count(log.sends, [SWITCH], begun=4)

    assert (tally.late, tally.refused, tally.failed) == ({"w-liar": 2}, {"w-liar": 1}, 1)


def test_what_others_do_at_the_server_is_no_send() -> None:
    log = Written()
    log.send(90, "w-1", "first")
    log.send(91, "", "second", client="vault.localhost", ends="tried")
    log.send(111, "", "first", client="operator", ends="refused")
    log.note(111, "drop", password="first")

    tally = count(log.sends, [SWITCH], begun=1)

    assert tally == Tally(before=1, during=0, after=0, failed=0)


def test_a_send_is_in_flight_from_its_connection_to_its_end() -> None:
    log = Written()
    for at in (99, 99.5, 99.9, 100.1):
        log.send(at, "w", "first")
    log.note(99.8, "opened", session=9)
    log.note(99.9, "hello", session=9, client="w.engine.demo")

    assert under_way(log.sends, 100) == 3


def test_who_has_used_a_password_is_known_by_workflow() -> None:
    log = Written()
    log.send(90, "w-1", "second")
    log.send(101, "w-2", "second")
    log.send(101, "w-3", "first")
    log.send(101, "w-4", "second", ends="refused")
    log.send(102, "w-5", "second", ends="broken off")

    assert users_of(log.sends, "second") == {"w-1", "w-2"}
    assert tried_since(log.sends, 100) == {"w-2", "w-3", "w-4"}


def test_when_a_password_was_dropped_is_known() -> None:
    log = Written()
    log.note(100, "add", password="second")
    log.note(111, "drop", password="first")

    assert log.log.dropped == {"first": 111}
