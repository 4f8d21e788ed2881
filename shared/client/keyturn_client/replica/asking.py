"""Questions about access that the copy cannot answer, put to the access service."""

import asyncio
import logging
from datetime import timedelta

from keyturn_contracts.message import Part
from keyturn_contracts.rights import Action, Code, Decision, Way
from pydantic import ValidationError

from keyturn_client.commands import Signer
from keyturn_client.http import Http
from keyturn_client.problems import KeyturnError
from keyturn_client.settings import BackendSettings, EngineSettings

log = logging.getLogger("keyturn_client")


class Question(Part):
    """May this member do that with the account; or use the extension: one of both is named."""

    member: str
    action: Action = "use"
    account_id: str | None = None
    extension: str | None = None


class _Asked(Part):
    questions: tuple[Question, ...]
    at_least: int | None = None


class _Answer(Part):
    allowed: bool
    code: Code
    way: Way | None = None


class _Answers(Part):
    decisions: tuple[_Answer]


class Asking:
    """Asks in the name of an engine or of a backend system."""

    def __init__(self, settings: EngineSettings | BackendSettings) -> None:
        self._http = Http(settings.services, Signer.of(settings))

    async def close(self) -> None:
        await self._http.close()

    async def ask(
        self, question: Question, at_least: int | None, within: timedelta
    ) -> Decision | None:
        """Return the service's answer, as new as `at_least`; None where it gives none in time."""
        asked = _Asked(questions=(question,), at_least=at_least)
        try:
            async with asyncio.timeout(within.total_seconds()):
                found = await self._http.post("access", "/v1/decisions", asked)
            [answer] = _Answers.model_validate(found).decisions
        except (KeyturnError, TimeoutError, ValidationError) as error:
            log.warning("The access service did not decide (%s): %s", type(error).__name__, error)
            return None
        return Decision(answer.allowed, answer.code, answer.way)
