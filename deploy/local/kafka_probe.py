"""Asks a broker whether it serves: one login and one question, without a client's threads.

The wire format is in Kafka's protocol guide; versions that every broker since 2.1 answers.
"""

import socket
import struct
from dataclasses import dataclass

_SASL_HANDSHAKE = (17, 1)
_SASL_AUTHENTICATE = (36, 0)
_METADATA = (3, 5)
_PATIENCE_SECONDS = 2.0


class ProbeRefused(Exception):  # noqa: N818  the broker's answer
    """The broker answers, and does not let us in."""


@dataclass(frozen=True, slots=True)
class _Answer:
    data: bytes

    def short(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 2], signed=True)

    def integer(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4], signed=True)


def serves(host: str, port: int, *, user: str, password: str) -> bool:
    """Tell whether the broker lets this user in and names itself as part of its cluster.

    Raises ProbeRefused when the password is wrong.
    """
    try:
        with socket.create_connection((host, port), _PATIENCE_SECONDS) as connection:
            connection.settimeout(_PATIENCE_SECONDS)
            refused = _ask(connection, _SASL_HANDSHAKE, _string("PLAIN")).short(0)
            if refused:
                raise ProbeRefused(f"it does not accept passwords (error {refused})")
            token = f"\0{user}\0{password}".encode()
            login = _ask(connection, _SASL_AUTHENTICATE, struct.pack(">i", len(token)) + token)
            if refused := login.short(0):
                raise ProbeRefused(f"it does not accept the password of {user} (error {refused})")
            # No topics, and none to be made: what remains is the list of brokers.
            metadata = _ask(connection, _METADATA, struct.pack(">ib", 0, 0))
            brokers = metadata.integer(4)
            return brokers > 0
    except (OSError, EOFError):
        return False


def _ask(connection: socket.socket, api: tuple[int, int], body: bytes) -> _Answer:
    request = struct.pack(">hhi", *api, 0) + _string("keyturn-probe") + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _read(connection, 4))
    answer = _read(connection, size)
    return _Answer(answer[4:])


def _read(connection: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        more = connection.recv(size - len(read))
        if not more:
            raise EOFError
        read += more
    return read


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">h", len(encoded)) + encoded
