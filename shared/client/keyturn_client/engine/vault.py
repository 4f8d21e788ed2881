"""Fetching credentials: what the vault answers, opened and checked, and never written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyturn_contracts.credential_vault import (
    CredentialsAnswer,
    CredentialsFetched,
    CredentialsWanted,
    FetchCredentials,
)
from keyturn_contracts.keys import SealingKey
from keyturn_contracts.sealing import Fetched, SealedError, open_for_engine

from keyturn_client.engine.journal import Who
from keyturn_client.http import Http

MOST_AT_ONCE = 200
_NOT_FOR_US = frozenset({"not_bound", "out_of_reach", "account_unknown"})


@dataclass(frozen=True, slots=True)
class Deleted:
    """The account is gone; this version is confirmed to have been let go for."""

    version: int


@dataclass(frozen=True, slots=True)
class NotGiven:
    """The vault does not give it to this engine."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """It may be had later."""

    why: str


Answer = Fetched | Deleted | NotGiven | NotNow


class Vault:
    """The vault, as one engine asks it."""

    def __init__(self, http: Http, who: Who, key: SealingKey) -> None:
        self._http = http
        self._who = who
        self._key = key

    async def fetch(self, account_ids: Sequence[str]) -> Mapping[str, Answer]:
        """Return the newest version of each account, at most `MOST_AT_ONCE` of them.

        It never says what the engine has already: after a restart nothing stored is used before
        the vault has answered. Raises what `Http` raises.
        """
        asked = FetchCredentials(accounts=tuple(CredentialsWanted(id=one) for one in account_ids))
        found = await self._http.post("credential-vault", "/v1/credentials", asked)
        answers = {one.id: one for one in CredentialsFetched.model_validate(found).accounts}
        return {
            one: self._open(answers[one]) if one in answers else NotNow("no answer")
            for one in account_ids
        }

    def _open(self, answer: CredentialsAnswer) -> Answer:
        if answer.refused is not None:
            given = answer.refused not in _NOT_FOR_US
            return NotNow(answer.refused) if given else NotGiven(answer.refused)
        if answer.version is None:
            return NotNow("no version")
        if answer.deleted:
            return Deleted(answer.version)
        if answer.sealed is None:
            return NotNow("nothing sealed")
        try:
            return open_for_engine(
                answer.sealed,
                self._key,
                brand=self._who.brand,
                account_id=answer.id,
                version=answer.version,
                engine_id=self._who.engine_id,
            )
        except SealedError as error:
            return NotNow(f"what it sealed is not for this engine ({error})")
