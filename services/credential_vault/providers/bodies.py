"""The body of a request: its template is JSON or a form, and values are encoded for it."""

import json
from urllib.parse import quote_plus

from keyturn_contracts.templates import SLOT
from pydantic import JsonValue

from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.values import Values

FORM = "application/x-www-form-urlencoded"


def fill_body(template: str, content_type: str, values: Values) -> bytes:
    """Fill a body by the type that its header says, or raise `FoundError`.

    Values go into the strings of JSON alone, so that none can add a member. A body of another type
    is sent as it is, and has no slots.
    """
    if SLOT.search(template) is None:
        return template.encode()
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == FORM:
        return values.fill(template, quote_plus).encode()
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            content: JsonValue = json.loads(template)
        except ValueError:
            raise _unfit("is no JSON") from None
        return json.dumps(_filled(content, values)).encode()
    raise _unfit(f"has values in it and is neither JSON nor {FORM}")


def _filled(content: JsonValue, values: Values) -> JsonValue:
    if isinstance(content, str):
        return values.fill(content)
    if isinstance(content, list):
        return [_filled(one, values) for one in content]
    if isinstance(content, dict):
        return {name: _filled(one, values) for name, one in content.items()}
    return content


def _unfit(why: str) -> FoundError:
    return FoundError(
        "scheme_not_supported",
        f"The extension's request cannot be made: its body {why}. Its publisher has to correct it.",
    )
