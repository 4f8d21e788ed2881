"""Whether settings and credential fields are what a manifest asks for. Values are never quoted."""

from collections.abc import Iterable, Mapping

from keyturn_contracts.catalog import FieldSpec, Manifest, Scheme
from keyturn_contracts.domains.patterns import PatternError, read_pattern
from keyturn_contracts.probes import ConsentProbe
from keyturn_contracts.templates import fill_first

from shared.security.secret_fields import SecretFields


class FieldsProblem(ValueError):  # noqa: N818  it is an answer, not a fault
    """What is wrong with settings or fields, for people: names alone."""


def find_scheme(manifest: Manifest, scheme_id: str) -> Scheme | None:
    return next((one for one in manifest.schemes if one.id == scheme_id), None)


def why_untried(manifest: Manifest, scheme: Scheme) -> str | None:
    """Return why no account of the scheme can be tried yet, or None where one can."""
    if not isinstance(scheme.probe, ConsentProbe):
        return None
    return (
        f"{scheme.title} of {manifest.name} waits for a person's consent in a browser, which "
        "Keyturn cannot ask for yet: choose another scheme where there is one."
    )


def with_defaults(manifest: Manifest, settings: Mapping[str, str]) -> dict[str, str]:
    """Return these settings, and the manifest's defaults where they are left out.

    For who uses them, never to be kept: a default that became an account's own setting would stay
    when a later version lets that setting name a host, which nobody typed and no review showed.
    """
    defaults = {one.name: one.default for one in manifest.settings if one.default is not None}
    return defaults | dict(settings)


def check_settings(manifest: Manifest, given: Mapping[str, str]) -> None:
    """Raise `FieldsProblem` unless these, and defaults for the rest, are what is asked for."""
    _check("setting", manifest.settings, given, with_defaults(manifest, given))


def check_kept_settings(manifest: Manifest, kept: Mapping[str, str]) -> None:
    """Do so for those that an account has; what the manifest does not have any more is ignored.

    That a version drops a setting is for nobody to accept, and no fault of the account's.
    """
    asked_for = {one.name for one in manifest.settings}
    known = {name: value for name, value in kept.items() if name in asked_for}
    check_settings(manifest, known)


def check_fields(scheme: Scheme, fields: SecretFields) -> None:
    """Raise `FieldsProblem` unless these are the fields that the scheme asks for."""
    clear = {name: value.get_secret_value() for name, value in fields.items()}
    _check("credential field", scheme.fields, clear, clear)


def _check(
    what: str, specs: Iterable[FieldSpec], given: Mapping[str, str], complete: Mapping[str, str]
) -> None:
    known = {one.name: one for one in specs}
    # An unknown name comes from the sender, who may have put a secret where a name belongs.
    if given.keys() - known.keys():
        raise FieldsProblem(f"A {what} was given that is none of: {', '.join(sorted(known))}.")
    missing = [one.name for one in known.values() if one.required and not complete.get(one.name)]
    if missing:
        raise FieldsProblem(f"The {what}s {', '.join(sorted(missing))} are needed.")
    wrong = [name for name, value in given.items() if not _matches(known[name], value)]
    if wrong:
        raise FieldsProblem(f"The {what}s {', '.join(sorted(wrong))} do not look as they should.")


def _matches(spec: FieldSpec, value: str) -> bool:
    if not value and not spec.required:
        return True
    if spec.pattern is None:
        return True
    try:
        return read_pattern(spec.pattern).matches_field(value)
    except PatternError:
        raise FieldsProblem(
            f"What {spec.name} looks like is said in a way that is not understood: have the "
            "extension's publisher publish it anew."
        ) from None


def with_derived(manifest: Manifest, settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings, defaults and derived values; a derived one that nothing makes is absent."""
    values = with_defaults(manifest, settings)
    derived = {one.name: fill_first(one.first_of, values) for one in manifest.derived}
    # A setting of a derived value's name does not take its place.
    complete = {**values, **derived}
    return {name: value for name, value in complete.items() if value is not None}
