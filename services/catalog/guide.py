"""The page about all extensions, made of their manifests: what each does, and what works today."""

from collections.abc import Iterable, Iterator

from keyturn_contracts.catalog import (
    FieldSpec,
    Manifest,
    Permission,
    RotationFacts,
    Scheme,
    Sourced,
    Step,
)
from keyturn_contracts.probes import ConsentProbe, HttpProbe, NothingToProbe, SftpProbe, SmtpProbe

from services.catalog.rules.support import by_of

UNCONFIRMED = "*not confirmed*"
CONNECTS = "can be connected"
WAITS = "waits for consent in a browser"
NOT_TRIED = "not tried: nothing to connect to"

_ROTATION: dict[str, str] = {
    "overlap_n": "several live side by side",
    "overlap_2": "two live side by side",
    "overlap_grace": "the former one lives on for a while",
    "new_principal": "a second client, key or user takes over; its ID is another one",
    "replace_in_place": "a new one ends the former one at once",
    "reauthorize": "a person consents again",
    "vendor_support": "the provider's support gives a new one",
    "operator_defined": "it depends on the server",
    "impossible": "no new one can be made",
    "unknown": "not known",
}
_HOUR, _DAY = 3600, 86400
_NONE = "none"

_INTRODUCTION = """\
# Extensions

What {platform} connects to, made of the manifests in `services/catalog/manifests`. Write it anew
with `python -m services.catalog.documents`.

A scheme whose credentials are a password, a key or a token "can be connected": adding an account
tries it, with the request or login that is named. One where a person agrees in a browser "waits
for consent in a browser", which comes with the console; an account of it is refused until then.
What no source confirms is marked {unconfirmed}.
"""


def guide(manifests: Iterable[Manifest], platform: str) -> str:
    """Return the page in Markdown; `platform` is the platform's name for people."""
    manifests = sorted(manifests, key=lambda one: (one.name.casefold(), one.slug))
    parts = [_INTRODUCTION.format(platform=platform, unconfirmed=UNCONFIRMED)]
    parts.append("\n".join(_overview(manifests)))
    parts += ["\n".join(_extension(one, platform)) for one in manifests]
    return "\n".join(parts)


def state_of(scheme: Scheme) -> str:
    """Say what works today of a scheme."""
    match scheme.probe:
        case SmtpProbe() | SftpProbe() | HttpProbe():
            return CONNECTS
        case ConsentProbe():
            return WAITS
        case NothingToProbe():
            return NOT_TRIED


def _overview(manifests: Iterable[Manifest]) -> Iterator[str]:
    yield f"| extension | category | {CONNECTS} | {WAITS} |"
    yield "| --- | --- | --- | --- |"
    for one in manifests:
        by_state = {
            state: "; ".join(_cell(two.title) for two in one.schemes if state_of(two) == state)
            for state in (CONNECTS, WAITS)
        }
        yield (
            f"| [{_cell(one.name)}](#{one.slug}) | {one.category} | {by_state[CONNECTS] or _NONE} "
            f"| {by_state[WAITS] or _NONE} |"
        )
    yield ""


def _extension(manifest: Manifest, platform: str) -> Iterator[str]:
    yield f'<a id="{manifest.slug}"></a>'
    yield ""
    yield f"## {manifest.name}"
    yield ""
    preview = " · Preview" if manifest.preview else ""
    yield f"By {by_of(manifest, platform)} · {manifest.category} · `{manifest.slug}`{preview}"
    yield ""
    yield manifest.description
    yield ""
    yield from _list("Steps", (_step(one) for one in manifest.steps))
    yield from _schemes(manifest)
    yield from _list("Worth knowing", _caveats(manifest))
    yield from _list("Domains", _domains(manifest))
    yield from _list("Reads of the brand", (_permission(one) for one in manifest.permissions))
    yield from _list("Open", manifest.gaps)


def _list(title: str, items: Iterable[str]) -> Iterator[str]:
    items = list(items)
    if items:
        yield f"**{title}**"
        yield ""
        yield from (f"- {one}" for one in items)
        yield ""


def _step(step: Step) -> str:
    return f"{step.name} ({step.kind}): {step.description}{_mark(step)}{_note(step)}"


def _permission(permission: Permission) -> str:
    return f"{permission.data}: {permission.purpose}{_mark(permission)}{_note(permission)}"


def _schemes(manifest: Manifest) -> Iterator[str]:
    yield "| scheme | today | what to give | tried by | rotation |"
    yield "| --- | --- | --- | --- | --- |"
    for scheme in manifest.schemes:
        recommended = ", recommended" if scheme.recommended and len(manifest.schemes) > 1 else ""
        title = f"{scheme.title} (`{scheme.id}`{recommended}){_mark(scheme)}"
        if scheme.ends_on is not None:
            title += f", ends on {scheme.ends_on}"
        given = ", ".join(_field(one) for one in scheme.fields)
        rotation = scheme.rotation or manifest.rotation
        cells = (title, state_of(scheme), given, _tried_by(scheme), _rotation(rotation))
        yield f"| {' | '.join(_cell(one) for one in cells)} |"
    yield ""
    if manifest.settings:
        yield f"Settings: {', '.join(_field(one) for one in manifest.settings)}."
        yield ""


def _field(field: FieldSpec) -> str:
    return field.title + ("" if field.required and field.default is None else " (optional)")


def _tried_by(scheme: Scheme) -> str:
    mark = f" {UNCONFIRMED}" if scheme.probe_basis == "unverified" else ""
    match scheme.probe:
        case SmtpProbe():
            return f"a login to the mail server{mark}"
        case SftpProbe():
            return f"a login to the server, whose host key is known{mark}"
        case HttpProbe() as http:
            first = "" if http.token is None or http.token.url is None else "an access token, then "
            return f"{first}`{http.method} {http.url}`{mark}"
        case ConsentProbe():
            return "nothing yet"
        case NothingToProbe():
            return "nothing"


def _rotation(facts: RotationFacts) -> str:
    text = _ROTATION[facts.rotation_class]
    if facts.grace_seconds is not None:
        text = f"the former one lives on for {_time(facts.grace_seconds)}"
    if facts.expires:
        text += "; each has an end"
    return text + _mark(facts)


def _time(seconds: int) -> str:
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            number = seconds // unit
            return f"{number} {name}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"


def _caveats(manifest: Manifest) -> Iterator[str]:
    said: set[str] = set()
    for scheme in manifest.schemes:
        hazards = scheme.rotation.hazards if scheme.rotation else ()
        for one in (*scheme.caveats, *hazards):
            if one not in said:
                said.add(one)
                yield f"{scheme.title}: {one}" if len(manifest.schemes) > 1 else one
    for one in manifest.rotation.hazards:
        if one not in said:
            yield one


def _domains(manifest: Manifest) -> Iterator[str]:
    for one in manifest.domains:
        wide = f" {one.wide_because}" if one.wide_because else ""
        yield f"`{one.rule}`: {one.purpose}{wide}{_mark(one)}{_note(one)}"
    if not manifest.domains:
        yield "None are declared: all domains are blocked until the brand adds some."
    more = manifest.additional_domains
    if more is not None:
        may = "Brands may add domains" if more.allowed else "Brands may not add domains"
        yield f"{may}: {more.why}{_mark(more)}"


def _mark(fact: Sourced) -> str:
    return "" if fact.confirmed else f" {UNCONFIRMED}"


def _note(fact: Sourced) -> str:
    return f" {fact.note}" if fact.note else ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
