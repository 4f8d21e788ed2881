"""The URL that a template makes: its host within the account's reach, values encoded for it."""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from keyturn_contracts.templates import SLOT

from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.values import Values
from services.credential_vault.rules.addresses import Address, OutOfReachError, Reach

_PARTS = re.compile(r"https://([^/?#]+)([^?#]*)(\?[^#]*)?(#.*)?", re.IGNORECASE | re.DOTALL)
_KEPT = "/?:@!$&'()*+,;=%"
"""What means something in a path or a query, and stays where a whole URL is given."""


class Target(NamedTuple):
    """Where a request goes: the address that was judged, and its path with its query."""

    address: Address
    target: str


def fill_url(what: str, template: str, values: Values, reach: Reach) -> Target:
    """Fill a URL's template, or raise `FoundError`.

    Its beginning, to the end of its host or of the slot that it begins with, takes values as they
    are: the account's rules decide what comes out. Behind it values are percent-encoded, so that
    none ends the segment or the parameter that it stands in.
    """
    beginning, rest = _parted(template)
    url = values.fill_shown(what, beginning) + values.fill_shown(what, rest, _encoded)
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise FoundError("settings_invalid", f"For {what}, a URL that begins with https:// is due.")
    try:
        address = reach.find(url)
    except OutOfReachError as error:
        raise FoundError("address_refused", str(error)) from None
    path = parts[2] or "/"
    if {".", ".."} & {unquote(one) for one in path.split("/")}:
        raise FoundError("settings_invalid", f"The path of {what} has a . or .. in it.")
    return Target(address, quote(path + (parts[3] or ""), safe=_KEPT))


def _parted(template: str) -> tuple[str, str]:
    slot = SLOT.match(template)
    if slot is not None:
        return slot[0], template[slot.end() :]
    at = re.match(r"https://[^/?#]*", template)
    end = at.end() if at is not None else len(template)
    return template[:end], template[end:]


def _encoded(value: str) -> str:
    return quote(value, safe="")
