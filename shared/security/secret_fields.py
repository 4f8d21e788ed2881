"""Credential fields in memory: a type that does not print, pickle or serialise."""

import json
from collections.abc import Iterator, Mapping
from typing import NoReturn

from keyturn_contracts.secret import Secret


class SecretFields(Mapping[str, Secret]):
    """A version's credential fields by name.

    Only `to_bytes` and each value's own `get_secret_value` give them away, so a search for those
    finds every place that does.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Secret]) -> None:
        self._fields = dict(fields)

    @classmethod
    def from_bytes(cls, content: bytes) -> "SecretFields":
        """Read what `to_bytes` returned."""
        fields: dict[str, str] = json.loads(content)
        return cls({name: Secret(value) for name, value in fields.items()})

    def to_bytes(self) -> bytes:
        """Return all of it in clear, to be encrypted at once."""
        clear = {name: value.get_secret_value() for name, value in self._fields.items()}
        return json.dumps(clear, ensure_ascii=False).encode()

    def __getitem__(self, name: str) -> Secret:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"SecretFields({sorted(self._fields)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Secret fields are not pickled or copied: pass them on as they are.")
