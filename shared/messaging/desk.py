"""Tells new commands from known ones, and keeps what is to be written about both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyturn_contracts.message import CommandRefused, Key

from shared.messaging.envelope import CommandId
from shared.messaging.inbox import Entry, Remembered, judge_id
from shared.messaging.outbox import Announced, Reply
from shared.messaging.outcomes import AnyOutcome, outcome_of, refuse_reused_id
from shared.messaging.record import RefusedOnArrival
from shared.messaging.rounds import Turn, Work

Arrival = Turn | RefusedOnArrival


def is_remembered(refused: RefusedOnArrival) -> bool:
    """Tell whether its id is good: what is refused for the id alone leaves no trace."""
    return judge_id(refused.id.id, refused.at) is None


class Desk:
    """Every command of a batch passes it in the order of the log, before any rule sees it."""

    def __init__(self, known: Mapping[CommandId, Remembered]) -> None:
        self._known = known
        self._pending: dict[CommandId, Turn] = {}
        self._repeats: list[tuple[Arrival, Turn]] = []
        """Of a fresh command's id and key: what they are told depends on what comes of that one."""
        self.fresh: list[Turn] = []
        """What the rules are to decide."""
        self.entries: dict[CommandId, Entry] = {}
        self.replaced: set[CommandId] = set()
        """Of the entries those that were known and give way."""
        self.answers: list[Reply] = []
        self.later: list[CommandId] = []

    def receive(self, arrival: Arrival) -> None:
        """Answer what is known, refuse what is to be refused, keep what is fresh."""
        about = _about(arrival)
        first = self._pending.get(about.id)
        if isinstance(arrival, RefusedOnArrival) and not is_remembered(arrival):
            self._answer(about, _refusal(arrival))
        elif first is not None and first.asked.key == about.key:
            self._repeats.append((arrival, first))
        elif first is not None:
            self._answer(about, refuse_reused_id(about.command))
        elif not self._is_answered(about):
            self._take_in(arrival, about)

    def conclude(self, work: Work, announced: Sequence[Announced], revision: int) -> None:
        """Note what came of the fresh commands, and answer those that repeated them.

        Those that announced nothing are told `revision`.
        """
        events: dict[Turn, list[Announced]] = {}
        for (turn, _), one in zip(work.events, announced, strict=True):
            events.setdefault(turn, []).append(one)
        for turn, decision in work.decisions.items():
            about = _about(turn)
            outcome = outcome_of(about.command, decision, events.get(turn, ()), revision)
            self._note(about, outcome)
            if outcome is None:
                self.later.append(about.id)
            else:
                self._answer(about, outcome)
        for repeat, first in self._repeats:
            about = _about(repeat)
            if isinstance(repeat, Turn) and first not in work.decisions:
                work.hold(repeat, None)
            elif not self._is_answered(about):
                self._take_in(repeat, about)
        self.replaced &= set(self.entries)

    @property
    def replies(self) -> list[Reply]:
        """Return the answers that their senders want as records."""
        return [one for one in self.answers if one.is_wanted]

    def _is_answered(self, about: "_About") -> bool:
        known = self.entries.get(about.id) or self._known.get(about.id)
        if known is None or known.gives_way:
            return False
        if known.digest != about.digest:
            self._answer(about, refuse_reused_id(about.command))
        elif known.outcome is not None:
            self._answer(about, known.outcome)
        return True

    def _take_in(self, arrival: Arrival, about: "_About") -> None:
        if isinstance(arrival, Turn):
            self._pending[about.id] = arrival
            self.fresh.append(arrival)
            return
        outcome = _refusal(arrival)
        self._answer(about, outcome)
        gives_way = arrival.reason == "expired"
        if not (gives_way and self._known.get(about.id)):
            self._note(about, outcome, gives_way=gives_way)

    def _note(
        self, about: "_About", outcome: AnyOutcome | None, *, gives_way: bool = False
    ) -> None:
        if about.id in self._known:
            self.replaced.add(about.id)
        self.entries[about.id] = Entry(
            id=about.id,
            key=about.key,
            command=about.command,
            digest=about.digest,
            outcome=outcome,
            gives_way=gives_way,
            wants_reply=about.wants_reply,
            trace_parent=about.trace_parent,
        )

    def _answer(self, about: "_About", outcome: AnyOutcome) -> None:
        self.answers.append(
            Reply(
                about.id, about.key, about.service, outcome, about.wants_reply, about.trace_parent
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    id: CommandId
    key: Key
    service: str
    command: str
    digest: bytes
    wants_reply: bool
    trace_parent: str | None


def _about(arrival: Arrival) -> _About:
    if isinstance(arrival, Turn):
        asked = arrival.asked
        return _About(
            id=asked.id,
            key=asked.key,
            service=asked.command.service,
            command=type(asked.command).__name__,
            digest=asked.digest,
            wants_reply=asked.wants_reply,
            trace_parent=asked.trace_parent,
        )
    # `keyturn.<service>.<ClassName>.v<major>`
    _, service, command, _ = arrival.type.split(".")
    return _About(
        id=arrival.id,
        key=arrival.key,
        service=service,
        command=command,
        digest=arrival.digest,
        wants_reply=arrival.wants_reply,
        trace_parent=arrival.trace_parent,
    )


def _refusal(refused: RefusedOnArrival) -> CommandRefused:
    command = refused.type.split(".")[2]
    return CommandRefused(command=command, reason=refused.reason, message=refused.message)
