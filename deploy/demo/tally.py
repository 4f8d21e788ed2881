"""What the mail server's own log says of the engine's sends: the demo's result."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ENGINE = ".engine.demo"
"""How the engine's clients name themselves to the mail server: `<workflow>.engine.demo`."""
WORKFLOW = "X-Keyturn-Workflow"
"""The header by which a message says which workflow sent it."""


@dataclass(slots=True)
class Send:
    """One connection of the engine: a log-in and a message, or less when it failed."""

    workflow: str
    opened_at: float
    closed_at: float | None = None
    login_at: float | None = None
    password: str = ""
    """The label of the one that it logged in with, or was refused with."""
    refused_at: float | None = None
    accepted_at: float | None = None

    def take(self, what: str, at: float, fact: Mapping[str, Any]) -> None:
        """Take what the log says of it next."""
        if what == "closed":
            self.closed_at = at
        elif what == "accepted":
            self.accepted_at = at
        elif what in {"login", "refused"}:
            self.password = str(fact["password"])
            if what == "login":
                self.login_at = at
            else:
                self.refused_at = at

    def is_under_way(self, at: float) -> bool:
        return self.opened_at <= at and (self.closed_at is None or at < self.closed_at)


@dataclass(frozen=True, slots=True)
class Switch:
    """One rotation, by the append times of its events; seconds since 1970."""

    old: str
    new: str
    """The labels of the passwords."""
    began_at: float
    """`CredentialsRotated`: from here on a fetch answers the new version only."""
    completed_at: float = math.inf
    """`RolloutCompleted`: from here on nobody uses the old one. Endless where it has not come."""

    @property
    def is_complete(self) -> bool:
        return self.completed_at < math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    before: int
    during: int
    after: int
    failed: int
    """Sends that did not end in an accepted message, whatever became of them."""
    refused: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many log-ins were refused, of each workflow."""
    late: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each workflow used an old password although its rollout had completed."""

    @property
    def accepted(self) -> int:
        return self.before + self.during + self.after


class MailLog:
    """The mail server's log, read as far as it has been written."""

    def __init__(self) -> None:
        self.sends: list[Send] = []
        """What the engine's clients did, in the order in which they said who they are.

        A client says so after it has connected; one that never did is none of the engine's.
        """
        self.dropped: dict[str, float] = {}
        """When the server's operator dropped each password."""
        self._opened: dict[int, float] = {}
        self._by_session: dict[int, Send] = {}

    def take(self, line: str) -> None:
        fact: dict[str, Any] = json.loads(line)
        session, at, what = fact.get("session"), float(fact["at"]), fact["what"]
        if what == "drop":
            self.dropped[fact["password"]] = at
        if not isinstance(session, int):
            return
        if what == "opened":
            self._opened[session] = at
        elif what == "hello" and str(fact["client"]).endswith(ENGINE):
            workflow = str(fact["client"]).removesuffix(ENGINE)
            send = Send(workflow=workflow, opened_at=self._opened.pop(session))
            self._by_session[session] = send
            self.sends.append(send)
        elif session in self._by_session:
            self._by_session[session].take(what, at, fact)
        if what == "closed":
            self._opened.pop(session, None)
            self._by_session.pop(session, None)


def under_way(sends: Iterable[Send], at: float) -> int:
    """Return how many sends were in flight at that moment."""
    return sum(send.is_under_way(at) for send in sends)


def count(sends: Sequence[Send], switches: Sequence[Switch], begun: int) -> Tally:
    """Count what the server saw; `begun` is how many sends the engine says it has begun.

    One that never reached the server has failed as much as one that the server refused.
    """
    accepted = [send.accepted_at for send in sends if send.accepted_at is not None]
    first = min((switch.began_at for switch in switches), default=math.inf)
    before = sum(at < first for at in accepted)
    during = sum(any(one.began_at <= at <= one.completed_at for one in switches) for at in accepted)
    return Tally(
        before=before,
        during=during,
        after=len(accepted) - before - during,
        failed=max(begun, len(sends)) - len(accepted),
        refused=_times(send.workflow for send in sends if send.refused_at is not None),
        late=_times(send.workflow for send in sends if _is_late(send, switches)),
    )


def users_of(sends: Iterable[Send], password: str) -> set[str]:
    """Return the workflows that have sent something with this password."""
    return {
        send.workflow
        for send in sends
        if send.password == password and send.accepted_at is not None
    }


def tried_since(sends: Iterable[Send], since: float) -> set[str]:
    """Return the workflows that have begun a send since then and were let in or refused."""
    return {
        send.workflow
        for send in sends
        if send.opened_at >= since and (send.accepted_at or send.refused_at)
    }


def _is_late(send: Send, switches: Iterable[Switch]) -> bool:
    at = send.login_at or send.refused_at
    return at is not None and any(
        send.password == one.old and at > one.completed_at for one in switches
    )


def _times(names: Iterable[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for name in names:
        counted[name] = counted.get(name, 0) + 1
    return counted
