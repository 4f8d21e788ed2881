"""The client library of Keyturn: `Backend` for systems that send commands, `Engine` for engines.

`Replica` says, in their own process, who may use what, and what an extension may connect to.
"""

from keyturn_contracts.reaching import Judgement
from keyturn_contracts.rights import Decision
from keyturn_contracts.sealing import Fetched
from keyturn_contracts.workflow import Reach, SavedTask, SavedWorkflow

from keyturn_client.backend import Backend
from keyturn_client.commands import Prepared
from keyturn_client.engine import Engine, Run, Workflows
from keyturn_client.keys import EngineKeys
from keyturn_client.outcomes import details_of
from keyturn_client.problems import (
    EngineStoppedError,
    KeyturnError,
    NoCredentialError,
    NoOutcomeYetError,
    NotAllowedError,
    NotAppliedError,
    NotFoundError,
    RejectedError,
    SuspendedError,
    UnreachableError,
)
from keyturn_client.replica import Replica
from keyturn_client.settings import (
    BackendSettings,
    EngineSettings,
    Kafka,
    ReplicaSettings,
    Services,
)

__all__ = [
    "Backend",
    "BackendSettings",
    "Decision",
    "Engine",
    "EngineKeys",
    "EngineSettings",
    "EngineStoppedError",
    "Fetched",
    "Judgement",
    "Kafka",
    "KeyturnError",
    "NoCredentialError",
    "NoOutcomeYetError",
    "NotAllowedError",
    "NotAppliedError",
    "NotFoundError",
    "Prepared",
    "Reach",
    "RejectedError",
    "Replica",
    "ReplicaSettings",
    "Run",
    "SavedTask",
    "SavedWorkflow",
    "Services",
    "SuspendedError",
    "UnreachableError",
    "Workflows",
    "details_of",
]
