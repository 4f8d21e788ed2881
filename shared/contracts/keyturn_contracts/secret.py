"""A text that is not for anyone's eyes."""

from typing import NoReturn

from pydantic import SecretStr


class Secret(SecretStr):
    """A secret value: it does not print (like `SecretStr`), and does not pickle or copy either."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret is not pickled: it would leave the process in clear.")
