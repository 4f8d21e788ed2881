"""Counts and logs what a poll has come to: kinds and reasons, and nothing that a message says."""

from collections import Counter
from collections.abc import Sequence

import structlog
from keyturn_contracts.message import CommandRefused

from shared.messaging.envelope import Asked, CommandId, News
from shared.messaging.poll import Processed
from shared.messaging.record import Content, Ignored, Received, RefusedOnArrival, Unreadable
from shared.telemetry import metrics

_log = structlog.stdlib.get_logger()


def count(received: Sequence[Received], done: Processed) -> None:
    """Count messages by topic, kind and outcome."""
    counting = _Counting(done)
    counted = Counter((one.record.topic, *counting.of(one.content)) for one in received)
    for (topic, kind, outcome), number in counted.items():
        metrics.MESSAGES.labels(topic=topic, kind=kind, outcome=outcome).inc(number)
    for record, unreadable in done.unreadable:
        metrics.UNREADABLE.labels(topic=record.topic, reason=unreadable.reason).inc()


class _Counting:
    def __init__(self, done: Processed) -> None:
        self._held = {one.id for one in done.held}
        self._later = set(done.later)
        self._answers = dict(done.answers)
        self._not_applied = {id(one.news) for one in done.not_applied}

    def of(self, content: Content) -> tuple[str, str]:
        """Return kind and outcome, as the metric names them."""
        match content:
            case Asked() | RefusedOnArrival():
                return "command", self._of_command(content.id)
            case News():
                return "news", "failed" if id(content) in self._not_applied else "saved"
            case Unreadable():
                return "other", "unreadable"
            case Ignored():
                return "other", "ignored"

    def _of_command(self, command_id: CommandId) -> str:
        answer = self._answers.get(command_id)
        if isinstance(answer, CommandRefused):
            return "refused"
        if answer is not None:
            return "applied" if answer.changed else "unchanged"
        if command_id in self._held:
            return "held"
        return "later" if command_id in self._later else "repeated"


def tell(done: Processed) -> None:
    """Log what a person may have to look at."""
    for put in done.held:
        if put.standing.state == "parked":
            _log.error(
                "a command is parked: see `keyturn held list`",
                kind=put.key.kind,
                cause=put.standing.cause,
                exc_info=put.cause,
            )
        elif put.standing.state == "retried":
            _log.warning(
                "a command is tried again later",
                kind=put.key.kind,
                attempts=put.standing.attempts,
                exc_info=put.cause,
            )
    for one in done.not_applied:
        _log.error("news could not be applied", kind=one.news.key.kind, exc_info=one.cause)
    for record, unreadable in done.unreadable:
        _log.warning(
            "a record is unreadable",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=unreadable.reason,
        )
