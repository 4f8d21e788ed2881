"""How a scheme's credentials are tried: what a manifest says of it, and the vault does."""

from typing import Annotated, Literal

from pydantic import Field

from keyturn_contracts.message import Part


class SmtpProbe(Part):
    """Log in to a mail server: EHLO, TLS with its certificate checked, AUTH, NOOP, QUIT.

    The texts are templates: `{name}` stands for a setting, a derived value or a credential field.
    No message is sent. `security` comes out as `starttls` or `tls`; AUTH is never sent in clear.
    """

    protocol: Literal["smtp"] = "smtp"
    host: str
    port: str
    security: str
    username: str
    password: str


class SftpProbe(Part):
    """Log in to an SFTP server whose host key is known, and list one folder.

    Templates, as of `SmtpProbe`. `host_key` is one line of OpenSSH's public keys: a server that
    shows another is refused before anything is sent to it.
    """

    protocol: Literal["sftp"] = "sftp"
    host: str
    port: str
    username: str
    host_key: str
    password: str | None = None
    private_key: str | None = None
    passphrase: str | None = None
    folder: str = "."


Verdict = Literal[
    "credential_dead",
    "alive_but_denied",
    "settings_wrong",
    "consent_needed",
    "transient",
    "unknown",
]
"""What an answer says of the credential: refused; accepted but lacking a right; for a place that
does not exist; a person must consent again; try later; the answer does not tell."""


class JsonRule(Part):
    """What must hold of a JSON answer. `path` is dotted: `user.id`; digits index a list."""

    path: str
    op: Literal["eq", "ne", "exists", "nonempty", "gt"]
    value: str | int | bool | None = None


class ProbeFailure(Part):
    """An answer that means failure: of this status, or with this value at this place."""

    status: int | None = None
    path: str | None = None
    value: str | int | bool | None = None
    verdict: Verdict


class BasicAuthorization(Part):
    """RFC 7617: the templates of both halves."""

    username: str
    password: str


class JwtAssertion(Part):
    """A JWT that the vault signs for one try (RFC 7523). Templates; `private_key` is PEM.

    `{public_key_sha256}` stands for the base64 SHA-256 of the key's public half in DER.
    """

    kind: Literal["jwt"] = "jwt"
    private_key: str
    passphrase: str | None = None
    algorithm: Literal["RS256", "ES256"] = "RS256"
    issuer: str
    subject: str | None = None
    """Left out where a provider takes the issuer for it, as Google does."""
    audience: str | None = None
    key_id: str | None = None
    lifetime_seconds: int = Field(default=300, ge=30, le=3600)
    claims: dict[str, str] = Field(default_factory=dict)


class SamlAssertion(Part):
    """A SAML 2.0 bearer assertion (RFC 7522) that the vault signs for one try. Templates."""

    kind: Literal["saml"] = "saml"
    private_key: str
    certificate: str | None = None
    issuer: str
    subject: str
    audience: str
    recipient: str
    attributes: dict[str, str] = Field(default_factory=dict)


Assertion = Annotated[JwtAssertion | SamlAssertion, Field(discriminator="kind")]


class TokenRequest(Part):
    """How an access token is got before the probe; it then stands for `{access_token}`.

    `assertion`: what was signed is itself the token, and no request is made.
    """

    grant: Literal["client_credentials", "jwt_bearer", "saml_bearer", "password", "assertion"]
    url: str | None = None
    client_authentication: Literal["body", "basic", "none"] = "body"
    client_id: str | None = None
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None
    scopes: tuple[str, ...] = ()
    scope_separator: Literal[" ", ","] = " "
    parameters: dict[str, str] = Field(default_factory=dict)
    assertion: Assertion | None = None
    token_path: str = "access_token"  # noqa: S105  where a token stands, not one


class HttpProbe(Part):
    """One request that shows whether the credentials live. It changes nothing at the provider.

    `url`, `headers`, `basic`, `body` are templates. Success is one of `statuses` with every rule
    of `rules`; else the first of `failures` that fits says what went wrong.
    """

    protocol: Literal["http"] = "http"
    method: Literal["GET", "HEAD", "POST"] = "GET"
    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    basic: BasicAuthorization | None = None
    body: str | None = None
    token: TokenRequest | None = None
    statuses: tuple[int, ...] = Field(min_length=1)
    rules: tuple[JsonRule, ...] = ()
    failures: tuple[ProbeFailure, ...] = ()
    label_path: str | None = None
    """Where a JSON answer names whom the credentials belong to."""


class ConsentProbe(Part):
    """A person consents in a browser (RFC 6749, section 4.1): `scheme_not_supported` until then."""

    protocol: Literal["consent"] = "consent"
    authorize_url: str
    token_url: str
    pkce: Literal["required", "supported", "off", "unknown"] = "unknown"
    scopes: tuple[str, ...] = ()
    scope_separator: Literal[" ", ","] = " "
    authorize_parameters: dict[str, str] = Field(default_factory=dict)
    token_parameters: dict[str, str] = Field(default_factory=dict)


class NothingToProbe(Part):
    """The secret is one that the other side uses towards us: shown as "not tried"."""

    protocol: Literal["none"] = "none"


Probe = Annotated[
    SmtpProbe | SftpProbe | HttpProbe | ConsentProbe | NothingToProbe,
    Field(discriminator="protocol"),
]
