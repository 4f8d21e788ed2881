"""What a provider's answer says of the credentials, as the manifest reads it."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from keyturn_contracts.probes import JsonRule, ProbeFailure
from keyturn_contracts.probes import Verdict as Meaning
from pydantic import JsonValue

from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.https import Answer
from services.credential_vault.rules.trial import Verdict

Clean = Callable[[str], str]


_MOST_STEPS = 32
_MOST_DIGITS = 9
"""Of a position in a list. Publishers write the paths, and no answer is so deep or so long."""


class _Nothing:
    """What stands at a place that is not there."""


NOTHING: Final = _Nothing()

_VERDICTS: Mapping[Meaning, Verdict] = {
    "credential_dead": "credentials_refused",
    "alive_but_denied": "credentials_refused",
    "consent_needed": "credentials_refused",
    "settings_wrong": "settings_invalid",
    "transient": "provider_unreachable",
    "unknown": "credentials_refused",
}
_SENTENCES: Mapping[Meaning, str] = {
    "credential_dead": "The credentials are not accepted.",
    "alive_but_denied": "The credentials are accepted, and lack a right that is needed.",
    "consent_needed": "A person has to consent again at the provider.",
    "settings_wrong": "The settings lead to something that is not there.",
    "transient": "It may answer otherwise later.",
    "unknown": "That does not show that the credentials are good.",
}
_ELSEWHERE = "It points elsewhere, and no redirect is followed: correct the settings."
_BY_STATUS: Mapping[int, Meaning] = {
    401: "credential_dead",
    403: "alive_but_denied",
    404: "settings_wrong",
    405: "settings_wrong",
    408: "transient",
    410: "settings_wrong",
    425: "transient",
    429: "transient",
}
_BY_ERROR: Mapping[str, Meaning] = {
    "invalid_client": "credential_dead",
    "invalid_grant": "credential_dead",
    "unauthorized_client": "alive_but_denied",
    "access_denied": "alive_but_denied",
    "invalid_scope": "settings_wrong",
    "unsupported_grant_type": "settings_wrong",
    "interaction_required": "consent_needed",
    "consent_required": "consent_needed",
    "temporarily_unavailable": "transient",
}
"""Errors of token requests (RFC 6749, section 5.2), and what providers added to them."""
_REDIRECTS = range(300, 400)
_FAULTS = range(500, 600)
_FIRST_ERROR = 400
_MESSAGES = (
    *("error_description", "error.message", "error_message", "errorMessage"),
    *("error.message.value", "error.detail"),
    *("message", "detail", "description", "errors.0.message", "errors.0.detail", "errors.0.title"),
    *("errors.0", "0.message", "error", "errors"),
)
"""Where providers put a sentence about what is wrong. Nothing else of an answer is ever shown: a
token, or a customer's data, may be in it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer with what its JSON says, read once."""

    answer: Answer
    content: JsonValue | _Nothing

    @classmethod
    def of(cls, answer: Answer) -> "Judged":
        try:
            content: JsonValue | _Nothing = json.loads(answer.content)
        except (ValueError, RecursionError):
            content = NOTHING
        return cls(answer, content)

    def find(self, path: str) -> JsonValue | _Nothing:
        """Return what stands at a dotted place, or `NOTHING`. Digits index a list."""
        steps = path.split(".", _MOST_STEPS)
        if len(steps) > _MOST_STEPS:
            return NOTHING
        found = self.content
        for step in steps:
            if isinstance(found, dict):
                found = found.get(step, NOTHING)
            elif isinstance(found, list) and (position := _position(step)) < len(found):
                found = found[position]
            else:
                return NOTHING
        return found

    def find_text(self, path: str) -> str:
        """Return the text or number at a place; nothing where something else stands there."""
        found = self.find(path)
        return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def _position(step: str) -> int:
    """Return the position in a list that a step means; one behind any list where it means none."""
    return int(step) if step.isdecimal() and len(step) <= _MOST_DIGITS else sys.maxsize


def holds(rule: JsonRule, judged: Judged) -> bool:
    """Tell whether a rule holds. None does about a place that is not there."""
    found = judged.find(rule.path)
    if isinstance(found, _Nothing):
        return False
    match rule.op:
        case "exists":
            return True
        case "nonempty":
            return found is not None and found not in ("", [], {})
        case "eq":
            return _is_same(found, rule.value)
        case "ne":
            return not _is_same(found, rule.value)
        case "gt":
            return (
                isinstance(found, int | float)
                and not isinstance(found, bool)
                and isinstance(rule.value, int)
                and found > rule.value
            )


def meaning_of(
    judged: Judged, failures: Iterable[ProbeFailure], *, is_of_token: bool = False
) -> Meaning:
    """Return what an answer that is no success means: what the manifest says, or what it may."""
    status = judged.answer.status
    for one in failures:
        if _fits(one, judged):
            return one.verdict
    if is_of_token and (meant := _BY_ERROR.get(judged.find_text("error"))) is not None:
        return meant
    if status in _REDIRECTS:
        return "settings_wrong"
    return "transient" if status in _FAULTS else _BY_STATUS.get(status, "unknown")


def finding_of(meaning: Meaning, judged: Judged, where: str, clean: Clean) -> Finding:
    """Return the finding for people: the status, what the provider says of it, what it means."""
    answer = judged.answer
    said = next((text for text in _messages(judged, clean) if text), "")
    if not said and not answer.is_whole:
        said = "more than is read of an answer"
    elif not said and isinstance(judged.content, _Nothing) and answer.content:
        said = "something that is not JSON"
    is_redirect = answer.status in _REDIRECTS and meaning == "settings_wrong"
    told = _ELSEWHERE if is_redirect else _SENTENCES[meaning]
    end = "" if said.endswith((".", "…", "!", "?")) else "."
    return Finding(
        _VERDICTS[meaning],
        f"{where} answered {answer.status}{f': {said}' if said else ''}{end} {told}",
    )


def _messages(judged: Judged, clean: Clean) -> Iterable[str]:
    for path in _MESSAGES:
        if text := judged.find_text(path):
            yield clean(text)
    # What goes well may be an access token in another form than JSON.
    if judged.answer.media_type == "text/plain" and judged.answer.status >= _FIRST_ERROR:
        yield clean(judged.answer.content.decode(errors="replace"))


def _fits(failure: ProbeFailure, judged: Judged) -> bool:
    if failure.status is not None and failure.status != judged.answer.status:
        return False
    if failure.path is None:
        return failure.status is not None
    found = judged.find(failure.path)
    return not isinstance(found, _Nothing) and _is_same(found, failure.value)


def _is_same(found: JsonValue, value: JsonValue) -> bool:
    """Compare as JSON does: true is no number, and 1 is 1.0."""
    return found == value and isinstance(found, bool) == isinstance(value, bool)
