"""Settings and credential fields as a person gives them: a secret is never an argument."""

import getpass
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keyturn_client.keys import read_private
from keyturn_contracts.catalog import FieldSpec, Manifest, Scheme
from keyturn_contracts.secret import Secret
from pydantic import TypeAdapter, ValidationError

from shared.cli.output import counted, printable
from shared.cli.problems import Problem, usage

_OBJECT = TypeAdapter(dict[str, str])


@dataclass(frozen=True, slots=True)
class Given:
    """What was given for one account: what may be shown, and what may not."""

    settings: Mapping[str, str]
    fields: Mapping[str, Secret]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from; what is secret and comes from none of them is asked for."""

    values: Mapping[str, str]
    """`--set name=value`."""
    files: Mapping[str, Path]
    """`--secret-file name=path`."""
    use_stdin: bool = False


def read_pairs(option: str, pairs: Iterable[str]) -> dict[str, str]:
    """Read `name=value` as often as it was given."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise usage(f"{option} takes name=value, for example {option} host=mail.example.com.")
        if name in found:
            raise usage(f"{option} names {name} twice: leave one out.")
        found[name] = value
    return found


def choose_scheme(manifest: Manifest, asked: str | None) -> Scheme:
    """Return the way to authenticate that was asked for, or the only one there is."""
    by_id = {one.id: one for one in manifest.schemes}
    if asked is None and len(by_id) == 1:
        return manifest.schemes[0]
    if asked in by_id:
        return by_id[asked]
    choices = ", ".join(f"{one.id} ({one.title})" for one in manifest.schemes)
    if asked is None:
        raise usage(
            f"{manifest.name} can be connected in several ways, name one by --scheme: {choices}."
        )
    raise usage(f"{manifest.name} has no scheme {asked}. It has: {choices}.")


def gather(
    manifest: Manifest,
    scheme: Scheme,
    sources: Sources,
    *,
    kept_settings: Mapping[str, str] | None = None,
) -> Given:
    """Return what an account is made of, or a usage problem that names what is missing or too much.

    `kept_settings` are those that an account has already: what is not given stays as it is.
    """
    _refuse_unknown(manifest, scheme, sources)
    kept = kept_settings or {}
    settings = {
        spec.name: value
        for spec in manifest.settings
        # Not its default: what nobody gives is filled in when it is used, as it was accepted.
        if (value := sources.values.get(spec.name, kept.get(spec.name))) is not None
    }
    fields = {
        spec.name: Secret(value)
        for spec in scheme.fields
        if not spec.secret and (value := sources.values.get(spec.name, spec.default)) is not None
    }
    shown = [*manifest.settings, *(spec for spec in scheme.fields if not spec.secret)]
    missing = [
        one
        for one in shown
        if one.required and one.default is None and one.name not in settings | fields
    ]
    if missing:
        wanted = " ".join(f"--set {one.name}=…" for one in missing)
        raise usage(f"Give also: {wanted} ({', '.join(one.title for one in missing)}).")
    secret = [spec for spec in scheme.fields if spec.secret]
    return Given(settings, fields | _secrets(secret, sources))


def _refuse_unknown(manifest: Manifest, scheme: Scheme, sources: Sources) -> None:
    secret = {spec.name for spec in scheme.fields if spec.secret}
    shown = {spec.name for spec in (*manifest.settings, *scheme.fields)} - secret
    if exposed := sorted(secret & {*sources.values}):
        raise usage(
            f"{exposed[0]} is secret, and others can see the arguments of a program: leave it out "
            f"and you are asked for it, or use --secret-file {exposed[0]}=FILE or --stdin. "
            "Take what you typed for known to others."
        )
    if unknown := sorted({*sources.values} - shown):
        raise usage(f"There is no {unknown[0]} to set. There are: {', '.join(sorted(shown))}.")
    if unknown := sorted({*sources.files} - secret):
        raise usage(f"{unknown[0]} is no secret field. These are: {', '.join(sorted(secret))}.")


def _secrets(wanted: Sequence[FieldSpec], sources: Sources) -> dict[str, Secret]:
    found = {name: _read_file(path) for name, path in sources.files.items()}
    missing = [spec for spec in wanted if spec.name not in found]
    if sources.use_stdin:
        return found | _read_stdin(missing)
    for spec in missing:
        if not sys.stdin.isatty():
            if not spec.required:
                continue
            raise usage(
                f"{spec.name} is missing, and there is no terminal to ask at: use "
                f"--secret-file {spec.name}=FILE, or --stdin."
            )
        answer = getpass.getpass(f"{printable(spec.title)}: ", stream=sys.stderr)
        if answer:
            found[spec.name] = Secret(answer)
        elif spec.required:
            raise usage(f"{spec.title} may not be empty.")
    return found


def _read_file(path: Path) -> Secret:
    try:
        return Secret(_without_newline(read_private(path)))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Problem(f"{path} cannot be read: {why}.") from None


def _read_stdin(missing: Sequence[FieldSpec]) -> dict[str, Secret]:
    """Read the one secret that is missing as it is, or several as a JSON object."""
    if not missing:
        raise usage("Nothing is left to read from stdin: every secret comes from a file.")
    try:
        text = sys.stdin.read()
    except UnicodeDecodeError:
        raise usage("What came from stdin is not UTF-8.") from None
    if len(missing) == 1:
        value = _without_newline(text)
        if not value:
            raise usage(f"Nothing came from stdin for {missing[0].name}.")
        return {missing[0].name: Secret(value)}
    names = [spec.name for spec in missing]
    try:
        found = _OBJECT.validate_json(text)
    except ValidationError:
        raise usage(f"Give on stdin a JSON object of texts with: {', '.join(names)}.") from None
    if unknown := {*found} - {*names}:
        raise usage(
            f"What came from stdin has {counted(len(unknown), 'field')} too many. "
            f"Wanted are: {', '.join(names)}."
        )
    if absent := [spec.name for spec in missing if spec.required and not found.get(spec.name)]:
        raise usage(f"What came from stdin lacks {', '.join(absent)}.")
    return {name: Secret(value) for name, value in found.items()}


def _without_newline(text: str) -> str:
    """Return a line without its end; whatever else is white in it belongs to the secret."""
    return text.removesuffix("\n").removesuffix("\r")
