"""Trying credentials with one HTTP request: an access token first, where the manifest says so."""

import asyncio
import base64
import ssl
from dataclasses import dataclass

from keyturn_contracts.probes import BasicAuthorization, HttpProbe

from services.credential_vault.providers.bodies import fill_body
from services.credential_vault.providers.dialling import Dialler
from services.credential_vault.providers.finding import Finding, FoundError
from services.credential_vault.providers.https import (
    FRAMING,
    TOKEN,
    Header,
    Request,
    ask,
    named,
)
from services.credential_vault.providers.judging import Judged, finding_of, holds, meaning_of
from services.credential_vault.providers.tokens import TokenSource
from services.credential_vault.providers.trouble import late
from services.credential_vault.providers.urls import Target, fill_url
from services.credential_vault.providers.values import ACCESS_TOKEN, Values
from services.credential_vault.rules.addresses import Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTry:
    """One try: where it goes is settled, what may be secret is filled in when it is made."""

    probe: HttpProbe
    values: Values
    target: Target
    token: TokenSource | None

    @property
    def providers(self) -> tuple[str, ...]:
        """Name the addresses that are asked, in this order."""
        targets = [self.token.target if self.token is not None else None, self.target]
        return tuple(dict.fromkeys(str(one.address) for one in targets if one is not None))

    @property
    def where(self) -> str:
        return named(self.target.address)

    def fill(self, values: Values) -> Request:
        """Return the request, or raise `FoundError` where it cannot be sent."""
        headers = _headers(self.probe, values)
        types = {name.lower(): value for name, value in headers}
        body = self.probe.body
        return Request(
            method=self.probe.method,
            address=self.target.address,
            target=self.target.target,
            headers=headers,
            content=None
            if body is None
            else fill_body(body, types.get("content-type", ""), values),
        )


def prepare_http(probe: HttpProbe, values: Values, reach: Reach) -> HttpTry:
    """Settle where a try goes, or raise `FoundError` where it cannot be made as it stands."""
    token = None
    if probe.token is not None:
        url = probe.token.url
        target = None if url is None else fill_url("the token's URL", url, values, reach)
        token = TokenSource(asked=probe.token, target=target, failures=probe.failures)
    attempt = HttpTry(
        probe=probe,
        values=values,
        target=fill_url("the URL", probe.url, values, reach),
        token=token,
    )
    # What can be wrong in it is found before anything is sent, even to where tokens come from.
    attempt.fill(values if token is None else values.having(ACCESS_TOKEN, "of-later"))
    return attempt


async def try_http(
    attempt: HttpTry, dialler: Dialler, context: ssl.SSLContext, seconds: float
) -> Finding:
    """Say what the provider thinks of these credentials; whatever goes wrong is a finding too."""
    try:
        async with asyncio.timeout(seconds):
            return await _try(attempt, dialler, context)
    except FoundError as found:
        return found.finding
    except TimeoutError:
        return late(" or ".join(attempt.providers))


async def _try(attempt: HttpTry, dialler: Dialler, context: ssl.SSLContext) -> Finding:
    values, probe = attempt.values, attempt.probe
    if attempt.token is not None:
        values = await attempt.token.get(values, dialler, context)
    judged = Judged.of(await ask(attempt.fill(values), dialler, context))
    is_good = judged.answer.status in probe.statuses
    if is_good and all(holds(rule, judged) for rule in probe.rules):
        label = values.clean(judged.find_text(probe.label_path)) if probe.label_path else ""
        return Finding(
            "accepted",
            f"{attempt.where} accepted the credentials{f' of {label}' if label else ''}.",
        )
    return finding_of(meaning_of(judged, probe.failures), judged, attempt.where, values.clean)


def _headers(probe: HttpProbe, values: Values) -> tuple[Header, ...]:
    headers: list[Header] = []
    for name_template, template in probe.headers.items():
        name = values.fill_shown("the name of a header", name_template)
        if not TOKEN.fullmatch(name) or name.lower() in FRAMING:
            raise FoundError(
                "fields_invalid" if name_template != name else "scheme_not_supported",
                "The name of a header cannot be used: write one such as X-Api-Key.",
            )
        if values.fill_optional(template) is not None:
            headers.append((name, values.fill_header(name, template)))
    if probe.basic is not None:
        headers.append(("Authorization", _basic(probe.basic, values)))
    names = [name.lower() for name, _ in headers]
    if len(set(names)) < len(names):
        raise FoundError(
            "fields_invalid", "Two headers have the same name: choose another for the key."
        )
    return tuple(headers)


def _basic(basic: BasicAuthorization, values: Values) -> str:
    username = values.fill(basic.username)
    if ":" in username:
        # It would be read as the end of the user's name (RFC 7617, section 2).
        raise FoundError("fields_invalid", "A user's name that is sent so cannot have a colon.")
    pair = f"{username}:{values.fill(basic.password)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
