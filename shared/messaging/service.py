"""The runtime that every service runs in: what a service is made of, and `run`, which runs it."""

import asyncio
import sys

import structlog
import uvloop
from aiokafka.errors import KafkaError
from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from shared.database.version import SchemaBehind
from shared.http.server import HttpProblem
from shared.messaging.context import Context, EngineKeys, KeysByIssuer
from shared.messaging.declared import Service
from shared.messaging.jobs import Job
from shared.messaging.kafka import TopicsMissing
from shared.messaging.runtime import Runtime
from shared.messaging.slots import SlotTaken
from shared.security.process import close_to_others
from shared.settings import ServiceSettings
from shared.telemetry.logs import configure_logs, describe_error

_log = structlog.stdlib.get_logger()

_SENTENCES = (HttpProblem, SchemaBehind, SlotTaken, TopicsMissing)
"""Problems whose text is what the operator is to read."""

__all__ = ["Context", "EngineKeys", "Job", "KeysByIssuer", "Service", "run"]


def run(service: Service, settings: ServiceSettings) -> None:
    """Run a service until SIGTERM; otherwise end the process with exit code 1 and a sentence."""
    close_to_others()
    configure_logs(service.name)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            problem = runner.run(Runtime(service, settings).run())
        except _SENTENCES as error:
            problem = str(error)
        except KafkaError as error:
            problem = (
                f"Kafka cannot be used at {settings.kafka.bootstrap} as {settings.kafka.principal} "
                f"({type(error).__name__}): is it running, and is the password right?"
            )
        except (OSError, PostgresError, SQLAlchemyError) as error:
            problem = (
                f"The database {settings.database.name} cannot be used at {settings.database.host} "
                f"({describe_error(error)}): is it running, and is the password right?"
            )
        except Exception as error:  # noqa: BLE001  Python's own report would quote what failed
            _log.critical("the service has failed", exc_info=error)
            problem = f"The service cannot go on: {describe_error(error)}."
    if problem is not None:
        _log.critical(problem)
        sys.exit(1)
