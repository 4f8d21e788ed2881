"""Access tokens: what is asked for one (RFC 6749, 7522 and 7523), and how it is read."""

import base64
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

from keyturn_contracts.probes import JwtAssertion, ProbeFailure, SamlAssertion, TokenRequest

from services.credential_vault.providers.assertions import sign_jwt
from services.credential_vault.providers.bodies import FORM
from services.credential_vault.providers.dialling import Dialler
from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.https import Header, Request, ask
from services.credential_vault.providers.judging import Judged, finding_of, meaning_of
from services.credential_vault.providers.saml import sign_saml
from services.credential_vault.providers.urls import Target
from services.credential_vault.providers.values import ACCESS_TOKEN, Values

_GOOD = range(200, 300)
_ASSERTION = "the assertion"
_PAIR = "the client's id and secret"
"""Names of what is sent and made here; no template can name them."""
_GRANTS = {
    "client_credentials": "client_credentials",
    "password": "password",
    "jwt_bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "saml_bearer": "urn:ietf:params:oauth:grant-type:saml2-bearer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """How one try gets its access token; without a target it signs that itself."""

    asked: TokenRequest
    target: Target | None
    failures: tuple[ProbeFailure, ...]

    async def get(self, values: Values, dialler: Dialler, context: ssl.SSLContext) -> Values:
        """Return the values with an access token, or raise `FoundError`."""
        assertion = await self._assertion(values)
        if self.target is None:
            return values.having(ACCESS_TOKEN, assertion)
        values = values.having(_ASSERTION, assertion)
        values = values.having(_PAIR, _client_pair(self.asked, values))
        made = _token_request(self.asked, self.target, values)
        judged = Judged.of(await ask(made, dialler, context))
        token = judged.find(self.asked.token_path)
        if judged.answer.status not in _GOOD or not isinstance(token, str) or not token:
            meaning = meaning_of(judged, self.failures, is_of_token=True)
            raise FoundError.of(finding_of(meaning, judged, made.where, values.clean))
        if not (token.isascii() and token.isprintable()):
            # It would not pass as the value of a header, or as more than one.
            raise FoundError(
                "settings_invalid", f"{made.where} gave an access token that cannot be sent."
            )
        return values.having(ACCESS_TOKEN, token)

    async def _assertion(self, values: Values) -> str:
        match self.asked.assertion:
            case JwtAssertion() as one:
                return await sign_jwt(one, values)
            case SamlAssertion() as one:
                return await sign_saml(one, values)
            case None:
                return ""


def _token_request(asked: TokenRequest, target: Target, values: Values) -> Request:
    headers: list[Header] = [("Content-Type", FORM), ("Accept", "application/json")]
    form: dict[str, str | None] = {"grant_type": _GRANTS.get(asked.grant)}
    if asked.client_authentication == "basic":
        pair = values.secrets[_PAIR].encode()
        headers.append(("Authorization", f"Basic {base64.b64encode(pair).decode()}"))
    else:
        form["client_id"] = values.fill_optional(asked.client_id)
    if asked.client_authentication == "body":
        form["client_secret"] = values.fill_optional(asked.client_secret)
    form["username"] = values.fill_optional(asked.username)
    form["password"] = values.fill_optional(asked.password)
    form["assertion"] = values.secrets[_ASSERTION] or None
    form["scope"] = asked.scope_separator.join(_scopes(asked.scopes, values)) or None
    # What a provider wants in a way of its own is said by the manifest's parameters.
    for name, template in asked.parameters.items():
        form[name] = values.fill_optional(template)
    return Request(
        method="POST",
        address=target.address,
        target=target.target,
        headers=tuple(headers),
        content=urlencode({name: one for name, one in form.items() if one is not None}).encode(),
    )


def _client_pair(asked: TokenRequest, values: Values) -> str:
    """Return the two halves of HTTP Basic, each form-encoded (RFC 6749, section 2.3.1)."""
    client_id = values.fill_optional(asked.client_id, quote_plus) or ""
    return f"{client_id}:{values.fill_optional(asked.client_secret, quote_plus) or ''}"


def _scopes(templates: Iterable[str], values: Values) -> list[str]:
    filled = (values.fill_optional(one) for one in templates)
    return [one for one in filled if one]
