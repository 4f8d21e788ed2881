"""How a scheme is tried: what each kind of probe may say, and where its secrets may go."""

import re
from collections.abc import Iterator, Mapping

from keyturn_contracts.catalog import Manifest, Scheme
from keyturn_contracts.probes import (
    ConsentProbe,
    HttpProbe,
    JsonRule,
    JwtAssertion,
    NothingToProbe,
    ProbeFailure,
    SamlAssertion,
    SftpProbe,
    SmtpProbe,
    TokenRequest,
)

from services.catalog.rules.manifest.addresses import problems_of_address, problems_of_url
from services.catalog.rules.manifest.templates import Names, Place, slots_of
from services.catalog.rules.manifest.wording import repeated

_TOKEN = frozenset({"access_token"})
_KEY = frozenset({"public_key_sha256"})
_STEP = r"(?:[0-9]{1,9}|(?![0-9]+(?:\.|\Z))[^\s.{}\[\]]+)"
_JSON_PATH = re.compile(rf"{_STEP}(?:\.{_STEP}){{0,31}}")
"""A path goes so deep, and a position in a list has so many digits, as the vault follows."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+|\{[a-z][a-z0-9_]*\}")
"""RFC 9110, section 5.1, or a name for it."""
_OURS = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "expect", "host"),
        *("keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)
"""Headers that say where a request goes and where it ends."""
_STATUSES = range(100, 600)
_FIRST_OF_AN_ANSWER = 200


def problems_of_probe(scheme: Scheme, manifest: Manifest) -> Iterator[str]:
    """Say what is wrong with the scheme's probe, without saying which scheme it is."""
    names = Names.of(manifest, scheme)
    places = list(_places(scheme))
    for place in places:
        yield from names.problems_of(place)
    match scheme.probe:
        case SmtpProbe() as smtp:
            yield from problems_of_address("the probe", f"{smtp.host}:{smtp.port}", manifest, names)
        case SftpProbe() as sftp:
            yield from problems_of_address("the probe", f"{sftp.host}:{sftp.port}", manifest, names)
            if (sftp.password is None) == (sftp.private_key is None):
                yield "the probe logs in with a password or with a private_key: name one of both."
            if sftp.passphrase is not None and sftp.private_key is None:
                yield "the probe has a passphrase and no private_key that it opens."
        case HttpProbe() as http:
            yield from _problems_of_http(http, manifest, names)
        case ConsentProbe() as consent:
            for what in ("authorize_url", "token_url"):
                yield from problems_of_url(
                    f"the probe's {what}", getattr(consent, what), manifest, names
                )
        case NothingToProbe():
            pass
    yield from _problems_of_secrecy(scheme, places)


def _problems_of_secrecy(scheme: Scheme, places: list[Place]) -> Iterator[str]:
    secrets = {one.name for one in scheme.fields if one.secret}
    if not secrets:
        yield "it has no secret field, so there would be nothing to keep."
    elif isinstance(scheme.probe, (SmtpProbe, SftpProbe, HttpProbe)) and secrets.isdisjoint(
        name for place in places for name in slots_of(place.template)
    ):
        yield "the probe uses no secret, so its success would prove nothing."


def _problems_of_http(probe: HttpProbe, manifest: Manifest, names: Names) -> Iterator[str]:
    yield from problems_of_url("the probe's url", probe.url, manifest, names)
    yield from _problems_of_headers(probe)
    if probe.body is not None and probe.method != "POST":
        yield f"the probe sends a body, which goes with POST and not with {probe.method}."
    yield from _problems_of_statuses(probe)
    for rule in probe.rules:
        yield from _problems_of_rule(rule)
    for failure in probe.failures:
        yield from _problems_of_failure(failure, probe)
    if probe.label_path is not None and not _JSON_PATH.fullmatch(probe.label_path):
        yield f"the probe's label_path {_not_a_path(probe.label_path)}"
    if probe.token is not None:
        yield from _problems_of_token(probe.token, manifest, names)


def _problems_of_headers(probe: HttpProbe) -> Iterator[str]:
    names = [one.lower() for one in probe.headers]
    for header in probe.headers:
        if not _HEADER.fullmatch(header):
            yield f"the probe's header {header!r} is no name of a header."
        elif header.lower() in _OURS:
            yield f"the probe's header {header} is set by who sends it; leave it out."
    for twice in repeated(names):
        yield f"the probe's header {twice} is there twice."
    if probe.basic is not None and "authorization" in names:
        yield "the probe has a header Authorization and basic, which is one too."


def _problems_of_statuses(probe: HttpProbe) -> Iterator[str]:
    for status in sorted(set(probe.statuses)):
        if status not in _STATUSES or status < _FIRST_OF_AN_ANSWER:
            yield f"the probe's statuses have {status}, which no answer ends with."
    if len(set(probe.statuses)) < len(probe.statuses):
        yield "the probe's statuses have one twice."


def _problems_of_rule(rule: JsonRule) -> Iterator[str]:
    if not _JSON_PATH.fullmatch(rule.path):
        yield f"the probe's rule {_not_a_path(rule.path)}"
    takes_value = rule.op not in {"exists", "nonempty"}
    if not takes_value and rule.value is not None:
        yield f"the probe's rule for {rule.path} is {rule.op}, which takes no value."
    if rule.op == "gt" and (isinstance(rule.value, bool) or not isinstance(rule.value, int)):
        yield f"the probe's rule for {rule.path} is gt, which takes a number."


def _problems_of_failure(failure: ProbeFailure, probe: HttpProbe) -> Iterator[str]:
    if failure.status is None and failure.path is None:
        yield "the probe has a failure with neither a status nor a path, which would fit anything."
    if failure.path is None and failure.value is not None:
        yield "the probe has a failure with a value and no path where it stands."
    if failure.path is not None and not _JSON_PATH.fullmatch(failure.path):
        yield f"the probe's failure {_not_a_path(failure.path)}"
    if failure.status is None:
        return
    if failure.status not in _STATUSES:
        yield f"the probe has a failure with status {failure.status}, which does not exist."
    elif failure.path is None and failure.status in probe.statuses and not probe.rules:
        yield f"the probe has {failure.status} as success and as failure."


def _not_a_path(path: str) -> str:
    return (
        f"{path!r} is no path; write at most 32 names and positions with dots, as in errors.0.code."
    )


def _problems_of_token(token: TokenRequest, manifest: Manifest, names: Names) -> Iterator[str]:
    if (token.url is None) != (token.grant == "assertion"):
        yield "the probe's token has a url, unless its grant is assertion: then no request is made."
    if token.url is not None:
        yield from problems_of_url("the probe's token url", token.url, manifest, names)
    if not _JSON_PATH.fullmatch(token.token_path):
        yield f"the probe's token_path {_not_a_path(token.token_path)}"
    wanted = {"jwt_bearer": JwtAssertion, "assertion": JwtAssertion, "saml_bearer": SamlAssertion}
    kind = wanted.get(token.grant)
    if kind is not None and not isinstance(token.assertion, kind):
        yield f"the probe's token is got by {token.grant}, which takes its own kind of assertion."
    if kind is None and token.assertion is not None:
        yield f"the probe's token is got by {token.grant}, which takes no assertion."
    needed = {
        "client_credentials": ("client_id", "client_secret"),
        "password": ("username", "password"),
    }
    for name in needed.get(token.grant, ()):
        if getattr(token, name) is None:
            yield f"the probe's token is got by {token.grant}, which needs {name}."


def _places(scheme: Scheme) -> Iterator[Place]:
    match scheme.probe:
        case SmtpProbe() as smtp:
            for name in ("host", "port", "security", "username"):
                yield Place(name=name, template=getattr(smtp, name))
            yield Place(name="password", template=smtp.password, takes_secret=True)
        case SftpProbe() as sftp:
            for name in ("host", "port", "username", "host_key", "folder"):
                yield Place(name=name, template=getattr(sftp, name))
            yield from _optional(sftp, ("password", "private_key"), left_out=False)
            yield from _optional(sftp, ("passphrase",))
        case HttpProbe() as http:
            yield from _places_of_http(http)
        case ConsentProbe() as consent:
            yield Place(name="authorize_url", template=consent.authorize_url)
            yield Place(name="token_url", template=consent.token_url)
            yield from _scopes(consent.scopes)
            yield from _values("authorize parameter", consent.authorize_parameters, secret=False)
            yield from _values("token parameter", consent.token_parameters)
        case NothingToProbe():
            pass


def _places_of_http(probe: HttpProbe) -> Iterator[Place]:
    also = _TOKEN if probe.token is not None else frozenset[str]()
    yield Place(name="url", template=probe.url)
    for name in probe.headers:
        yield Place(name=f"header {name}", template=name)
    yield from _values("header", probe.headers, also=also)
    if probe.basic is not None:
        for name in ("username", "password"):
            yield Place(
                name=f"basic {name}",
                template=getattr(probe.basic, name),
                takes_secret=True,
                also=also,
            )
    if probe.body is not None:
        yield Place(name="body", template=probe.body, takes_secret=True, is_body=True, also=also)
    if probe.token is not None:
        yield from _places_of_token(probe.token)


def _places_of_token(token: TokenRequest) -> Iterator[Place]:
    if token.url is not None:
        yield Place(name="token url", template=token.url)
    yield from _optional(
        token, ("client_id", "client_secret", "username", "password"), left_out=False
    )
    yield from _scopes(token.scopes)
    yield from _values("token parameter", token.parameters)
    match token.assertion:
        case JwtAssertion() as jwt:
            yield from _optional(jwt, ("private_key",), left_out=False)
            yield from _optional(jwt, ("passphrase",))
            yield Place(name="issuer", template=jwt.issuer, also=_KEY)
            yield from _optional(jwt, ("subject", "audience", "key_id"), secret=False, also=_KEY)
            yield from _values("claim", jwt.claims, secret=False, also=_KEY)
        case SamlAssertion() as saml:
            yield Place(name="private_key", template=saml.private_key, takes_secret=True)
            yield from _optional(saml, ("certificate",), secret=False)
            for name in ("issuer", "subject", "audience", "recipient"):
                yield Place(name=name, template=getattr(saml, name))
            yield from _values("attribute", saml.attributes)
        case None:
            pass


def _optional(
    part: object,
    names: tuple[str, ...],
    *,
    secret: bool = True,
    left_out: bool = True,
    also: frozenset[str] = frozenset(),
) -> Iterator[Place]:
    for name in names:
        template = getattr(part, name)
        if template is not None:
            yield Place(
                name=name,
                template=template,
                takes_secret=secret,
                can_be_left_out=left_out,
                also=also,
            )


def _values(
    what: str,
    given: Mapping[str, str],
    *,
    secret: bool = True,
    also: frozenset[str] = frozenset(),
) -> Iterator[Place]:
    for name, template in given.items():
        yield Place(
            name=f"{what} {name}",
            template=template,
            takes_secret=secret,
            can_be_left_out=True,
            also=also,
        )


def _scopes(scopes: tuple[str, ...]) -> Iterator[Place]:
    for one in scopes:
        yield Place(name="scopes", template=one, can_be_left_out=True)
