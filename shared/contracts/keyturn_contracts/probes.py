"""How a scheme's credentials are tried: what a manifest says of it, and the vault does."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from keyturn_contracts.message import Part

Name = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
"""What people are shown, or a template: `{name}` in it stands for a value."""
Body = Annotated[str, StringConstraints(max_length=20_000)]
Texts = Annotated[dict[Name, Text], Field(max_length=25)]
"""Templates by the names of what they become."""


class SmtpProbe(Part):
    """Log in to a mail server: EHLO, TLS with its certificate checked, AUTH, NOOP, QUIT.

    The texts are templates: `{name}` stands for a setting, a derived value or a credential field.
    No message is sent. `security` comes out as `starttls` or `tls`; AUTH is never sent in clear.
    """

    protocol: Literal["smtp"] = "smtp"
    host: Text
    port: Text
    security: Text
    username: Text
    password: Text


class SftpProbe(Part):
    """Log in to an SFTP server whose host key is known, and list one folder.

    Templates, as of `SmtpProbe`. `host_key` is one line of OpenSSH's public keys: a server that
    shows another is refused before anything is sent to it.
    """

    protocol: Literal["sftp"] = "sftp"
    host: Text
    port: Text
    username: Text
    host_key: Text
    password: Text | None = None
    private_key: Text | None = None
    passphrase: Text | None = None
    folder: Text = "."


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

    path: Text
    op: Literal["eq", "ne", "exists", "nonempty", "gt"]
    value: Text | int | bool | None = None


class ProbeFailure(Part):
    """An answer that means failure: of this status, or with this value at this place."""

    status: int | None = None
    path: Text | None = None
    value: Text | int | bool | None = None
    verdict: Verdict


class BasicAuthorization(Part):
    """RFC 7617: the templates of both halves."""

    username: Text
    password: Text


class JwtAssertion(Part):
    """A JWT that the vault signs for one try (RFC 7523). Templates; `private_key` is PEM.

    `{public_key_sha256}` stands for the base64 SHA-256 of the key's public half in DER.
    """

    kind: Literal["jwt"] = "jwt"
    private_key: Text
    passphrase: Text | None = None
    algorithm: Literal["RS256", "ES256"] = "RS256"
    issuer: Text
    subject: Text | None = None
    """Left out where a provider takes the issuer for it, as Google does."""
    audience: Text | None = None
    key_id: Text | None = None
    lifetime_seconds: int = Field(default=300, ge=30, le=3600)
    claims: Texts = Field(default_factory=dict)


class SamlAssertion(Part):
    """A SAML 2.0 bearer assertion (RFC 7522) that the vault signs for one try. Templates."""

    kind: Literal["saml"] = "saml"
    private_key: Text
    certificate: Text | None = None
    issuer: Text
    subject: Text
    audience: Text
    recipient: Text
    attributes: Texts = Field(default_factory=dict)


Assertion = Annotated[JwtAssertion | SamlAssertion, Field(discriminator="kind")]


class TokenRequest(Part):
    """How an access token is got before the probe; it then stands for `{access_token}`.

    `assertion`: what was signed is itself the token, and no request is made.
    """

    grant: Literal["client_credentials", "jwt_bearer", "saml_bearer", "password", "assertion"]
    url: Text | None = None
    client_authentication: Literal["body", "basic", "none"] = "body"
    client_id: Text | None = None
    client_secret: Text | None = None
    username: Text | None = None
    password: Text | None = None
    scopes: tuple[Text, ...] = Field(default=(), max_length=100)
    scope_separator: Literal[" ", ","] = " "
    parameters: Texts = Field(default_factory=dict)
    assertion: Assertion | None = None
    token_path: Text = "access_token"  # noqa: S105  where a token stands, not one


class HttpProbe(Part):
    """One request that shows whether the credentials live. It changes nothing at the provider.

    `url`, `headers`, `basic`, `body` are templates. Success is one of `statuses` with every rule
    of `rules`; else the first of `failures` that fits says what went wrong.
    """

    protocol: Literal["http"] = "http"
    method: Literal["GET", "HEAD", "POST"] = "GET"
    url: Text
    headers: Texts = Field(default_factory=dict)
    basic: BasicAuthorization | None = None
    body: Body | None = None
    token: TokenRequest | None = None
    statuses: tuple[int, ...] = Field(min_length=1, max_length=20)
    rules: tuple[JsonRule, ...] = Field(default=(), max_length=20)
    failures: tuple[ProbeFailure, ...] = Field(default=(), max_length=40)
    label_path: Text | None = None
    """Where a JSON answer names whom the credentials belong to."""


class ConsentProbe(Part):
    """A person consents in a browser (RFC 6749, section 4.1): `scheme_not_supported` until then."""

    protocol: Literal["consent"] = "consent"
    authorize_url: Text
    token_url: Text
    pkce: Literal["required", "supported", "off", "unknown"] = "unknown"
    scopes: tuple[Text, ...] = Field(default=(), max_length=100)
    scope_separator: Literal[" ", ","] = " "
    authorize_parameters: Texts = Field(default_factory=dict)
    token_parameters: Texts = Field(default_factory=dict)


class NothingToProbe(Part):
    """The secret is one that the other side uses towards us: shown as "not tried"."""

    protocol: Literal["none"] = "none"


Probe = Annotated[
    SmtpProbe | SftpProbe | HttpProbe | ConsentProbe | NothingToProbe,
    Field(discriminator="protocol"),
]
