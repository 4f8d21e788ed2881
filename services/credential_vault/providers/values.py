"""What the templates of one try are filled with."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from keyturn_contracts.catalog import Manifest, Scheme
from keyturn_contracts.templates import SLOT

from services.credential_vault.providers.answers import clean_answer
from services.credential_vault.providers.finding import FoundError
from services.credential_vault.rules.fields import with_derived
from services.credential_vault.rules.trial import Verdict
from shared.security.secret_fields import SecretFields

Encode = Callable[[str], str]

ACCESS_TOKEN = "access_token"  # noqa: S105  the name of a slot
_NOT_IN_HEADERS = re.compile(r"[^\x20-\x7e\t]")
"""Line breaks and NUL would make another header of it."""
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document can hold, escaped or not (XML 1.0, section 2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Values:
    """Settings, derived values and credential fields, by name. They do not print."""

    settings: Mapping[str, str]
    """With defaults and derived values; people may see all of them."""
    names: Mapping[str, str]
    """Credential fields that are no secret, such as a user's name."""
    secrets: Mapping[str, str]
    """Secret fields, and what a try itself was given or made."""

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        scheme: Scheme,
        settings: Mapping[str, str],
        fields: SecretFields,
    ) -> "Values":
        given = {name: one.get_secret_value() for name, one in fields.items()}
        # A field that the scheme does not have any more may have been a secret.
        shown = {one.name for one in scheme.fields if not one.secret}
        defaults = {
            one.name: one.default
            for one in scheme.fields
            if one.name in shown and one.default is not None
        }
        return cls(
            settings=with_derived(manifest, settings),
            names={**defaults, **{name: given[name] for name in given if name in shown}},
            secrets={name: given[name] for name in given if name not in shown},
        )

    def having(self, name: str, value: str) -> "Values":
        """Return these and what the try has come to know or make since: a secret."""
        return replace(self, secrets={**self.secrets, name: value})

    def fill(self, template: str, encode: Encode = str) -> str:
        """Put encoded values in for `{name}`, once: what stands in a value is no template."""
        return SLOT.sub(lambda found: encode(self._value(found[1])), template)

    def fill_optional(self, template: str | None, encode: Encode = str) -> str | None:
        """Fill a template, or return None where it is but a name without a value."""
        if template is None:
            return None
        alone = SLOT.fullmatch(template)
        if alone is not None and not self._find(alone[1]):
            return None
        return self.fill(template, encode)

    def fill_shown(self, what: str, template: str, encode: Encode = str) -> str:
        """Fill a template that others see, such as a URL; a secret in it ends the try."""
        secret = {*self.secrets, ACCESS_TOKEN} - self.settings.keys() - self.names.keys()
        for name in SLOT.findall(template):
            if name in secret:
                raise FoundError(
                    "scheme_not_supported",
                    f"The extension would put {name} into {what}, where a secret is shown: its "
                    "publisher has to put it elsewhere.",
                )
        return self.fill(template, encode)

    def fill_header(self, header: str, template: str) -> str:
        """Fill the value of a header, or end the try where no header can carry what comes out."""
        has = "a line break or a character beyond ASCII"
        filled = self._fill_without(_NOT_IN_HEADERS, has, f"header {header}", template)
        # Blanks around a value are not part of it (RFC 9110, section 5.5).
        return filled.strip(" \t")

    def fill_xml(self, what: str, template: str) -> str:
        """Fill what stands in XML, or end the try where no XML can hold what comes out."""
        has = "a control character or another that XML does not know"
        return self._fill_without(_NOT_IN_XML, has, what, template)

    def _fill_without(self, outside: re.Pattern[str], has: str, what: str, template: str) -> str:
        for name in SLOT.findall(template):
            if outside.search(self._value(name)):
                raise FoundError(
                    self.verdict_on(name),
                    f"The value of {name} cannot be sent in the {what}: it has {has}.",
                )
        filled = self.fill(template)
        if outside.search(filled):
            raise FoundError("scheme_not_supported", f"The extension's {what} cannot be sent.")
        return filled

    def verdict_on(self, name: str) -> Verdict:
        """Return the verdict where the value of this name is wrong or missing."""
        is_field = name in self.secrets or name in self.names
        return "fields_invalid" if is_field else "settings_invalid"

    def clean(self, answer: str) -> str:
        """Return what people may read of an answer; nothing where it repeats what was sent."""
        return clean_answer(
            answer, secrets=self.secrets.values(), names=[one for one in self.names.values() if one]
        )

    def _find(self, name: str) -> str | None:
        for values in (self.settings, self.names, self.secrets):
            if name in values:
                return values[name]
        return None

    def _value(self, name: str) -> str:
        value = self._find(name)
        if value is None:
            raise FoundError("settings_invalid", f"The value of {name} is needed to try it.")
        return value


def first_slot(template: str) -> str | None:
    """Return the first name in a template: what people know its value by."""
    return next(iter(SLOT.findall(template)), None)
