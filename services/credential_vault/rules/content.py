"""What a command brings as a new version: opened, and judged against the manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from keyturn_contracts.catalog import ExtensionChanged, Manifest

from services.credential_vault.rules.account import Desk, Unsealed, Version
from services.credential_vault.rules.audit import Who
from services.credential_vault.rules.entitlement import NOT_ACCEPTED, Entitlement, in_force
from services.credential_vault.rules.fields import (
    FieldsProblem,
    check_fields,
    check_kept_settings,
    check_settings,
    find_scheme,
    why_untried,
)
from shared.decisions import NotYetKnown, Refused
from shared.security.secret_fields import SecretFields

_SEALED: Mapping[Literal["sealed_invalid", "transport_key_expired"], str] = {
    "sealed_invalid": (
        "The sealed credentials do not open for this command: seal them for exactly this brand, "
        "account and command id."
    ),
    "transport_key_expired": (
        "The credentials were sealed to a key that is not accepted any more: seal them again, to "
        "the newest key of /v1/transport-keys."
    ),
}

ContentReason = Literal[
    "sealed_invalid",
    "transport_key_expired",
    "fields_invalid",
    "settings_invalid",
    "scheme_unknown",
    "scheme_not_supported",
    "provider_unreachable",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """Those that a command gives, or those that the account has where it gives none."""

    values: Mapping[str, str]
    are_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Settings and fields that fit their scheme."""

    scheme: str
    settings: Mapping[str, str]
    """As they were given, without defaults: those are filled in when they are used."""
    fields: SecretFields

    def to_try(self, number: int, *, at: datetime, by: Who, retires: str | None = None) -> Version:
        """Return the version that is made of it: pending, and to be tried from now on."""
        return Version(
            number=number,
            status="pending",
            scheme=self.scheme,
            settings=self.settings,
            created_at=at,
            created_by=by,
            content=self.fields,
            retires=retires,
            try_since=at,
        )


def known_extension(desk: Desk | None, slug: str) -> ExtensionChanged:
    """Return what the catalog said of it, or wait for it to say something."""
    found = desk.extensions.get(slug) if desk is not None else None
    if found is None:
        raise NotYetKnown(Refused("extension_unknown", f"There is no extension {slug}."))
    return found


def judge_content(
    extension: ExtensionChanged,
    entitlement: Entitlement,
    scheme_id: str,
    settings: Settings,
    unsealed: Unsealed,
) -> Content | Refused[Desk, ContentReason]:
    """Return what a new version is made of, or why it cannot be; no value is ever quoted."""
    manifest = in_force(extension, entitlement)
    if manifest is None:
        return Refused("provider_unreachable", NOT_ACCEPTED)
    return _judge_by(manifest, scheme_id, settings, unsealed)


def _judge_by(
    manifest: Manifest, scheme_id: str, settings: Settings, unsealed: Unsealed
) -> Content | Refused[Desk, ContentReason]:
    scheme = find_scheme(manifest, scheme_id)
    if scheme is None:
        known = ", ".join(sorted(one.id for one in manifest.schemes))
        return Refused("scheme_unknown", f"{manifest.name} has none but these schemes: {known}.")
    if (untried := why_untried(manifest, scheme)) is not None:
        return Refused("scheme_not_supported", untried)
    if not isinstance(unsealed, SecretFields):
        return Refused(unsealed, _SEALED[unsealed])
    check = check_kept_settings if settings.are_kept else check_settings
    try:
        check(manifest, settings.values)
    except FieldsProblem as problem:
        return Refused("settings_invalid", str(problem))
    try:
        check_fields(scheme, unsealed)
    except FieldsProblem as problem:
        return Refused("fields_invalid", str(problem))
    return Content(scheme=scheme.id, settings=settings.values, fields=unsealed)
