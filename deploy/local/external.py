"""Parts that are somebody else's: their addresses, as the environment gives them.

KEYTURN_KAFKA     sasl_plaintext://admin:password@host:port or sasl_ssl://…, more hosts after
                  commas; ?mechanism=PLAIN (else SCRAM-SHA-512) says how the administrator logs
                  in, ?ca=/path whom to believe. Services get users of their own by SCRAM-SHA-512.
KEYTURN_POSTGRES  postgresql://user:password@host:port/database of a role that may create databases
                  and roles; ?sslmode=require or verify-full, ?sslrootcert=/path.
KEYTURN_REDIS     redis://user:password@host:port/number or rediss://…; all services use this user.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import SecretStr

from deploy.local.problems import StackProblem
from deploy.local.sql import Server
from shared.settings import KafkaSettings, RedisSettings

VARIABLES = ("KEYTURN_KAFKA", "KEYTURN_POSTGRES", "KEYTURN_REDIS")


@dataclass(frozen=True, slots=True)
class External:
    """What is not ours; None is a part that the stack runs itself."""

    kafka: KafkaSettings | None = None
    """How the administrator reaches it."""
    postgres: Server | None = None
    redis: RedisSettings | None = None

    def __bool__(self) -> bool:
        return any((self.kafka, self.postgres, self.redis))


def read_external(environment: Mapping[str, str]) -> External:
    """Read the three addresses; a wrong one raises StackProblem, which repeats no password."""
    kafka, postgres, redis = (environment.get(name) for name in VARIABLES)
    return External(
        kafka=_kafka(kafka) if kafka else None,
        postgres=_postgres(postgres) if postgres else None,
        redis=_redis(redis) if redis else None,
    )


def _kafka(text: str) -> KafkaSettings:
    shape = "KEYTURN_KAFKA is sasl_plaintext://admin:password@host:port (or sasl_ssl)"
    scheme, _, rest = text.partition("://")
    protocols: dict[str, Literal["SASL_PLAINTEXT", "SASL_SSL"]] = {
        "sasl_plaintext": "SASL_PLAINTEXT",
        "sasl_ssl": "SASL_SSL",
    }
    login, at, place = rest.rpartition("@")
    bootstrap, _, query = place.partition("?")
    name, _, password = login.partition(":")
    options = _options(query)
    mechanism = options.get("mechanism", "SCRAM-SHA-512")
    if scheme not in protocols or not (at and name and password and bootstrap):
        raise StackProblem(f"{shape}; this one is neither.")
    if mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise StackProblem(f"{shape}; ?mechanism= is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    return KafkaSettings(
        bootstrap=bootstrap.rstrip("/"),
        security_protocol=protocols[scheme],
        mechanism=mechanism,
        principal=unquote(name),
        password=SecretStr(unquote(password)),
        ca_file=Path(options["ca"]) if "ca" in options else None,
    )


def _postgres(text: str) -> Server:
    shape = "KEYTURN_POSTGRES is postgresql://user:password@host:port/database"
    url = _url(text, shape, ("postgresql", "postgres"))
    options = _options(url.query)
    tls = options.get("sslmode", "disable")
    host = options.get("host", url.hostname)
    if not (host and url.username):
        raise StackProblem(f"{shape}; this one lacks a part of it.")
    if tls not in ("disable", "require", "verify-full"):
        raise StackProblem(f"{shape}; ?sslmode= is disable, require or verify-full.")
    return Server(
        host=host,
        port=url.port or 5432,
        user=unquote(url.username),
        password=unquote(url.password or ""),
        database=url.path.strip("/") or "postgres",
        tls=tls,
        ca_file=Path(options["sslrootcert"]) if "sslrootcert" in options else None,
    )


def _redis(text: str) -> RedisSettings:
    shape = "KEYTURN_REDIS is redis://user:password@host:port/number or rediss://… with the same"
    url = _url(text, shape, ("redis", "rediss"))
    number = url.path.strip("/") or "0"
    if not url.hostname or not number.isdigit():
        raise StackProblem(f"{shape}; this one is neither.")
    return RedisSettings(
        host=url.hostname,
        port=url.port or 6379,
        database=int(number),
        user=unquote(url.username or "default"),
        password=SecretStr(unquote(url.password or "")),
        tls=url.scheme == "rediss",
    )


def _url(text: str, shape: str, schemes: tuple[str, ...]) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError as error:
        raise StackProblem(f"{shape}; this one cannot be read.") from error
    if url.scheme not in schemes:
        raise StackProblem(f"{shape}; this one is neither.")
    return url


def _options(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query).items()}
