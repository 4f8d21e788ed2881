"""What an engine is built on: `Engine`."""

from keyturn_client.engine.applying import Apply, LetGo, Workflows
from keyturn_client.engine.engine import AccountStatus, Engine, EngineStatus
from keyturn_client.engine.runs import Run
from keyturn_client.engine.store import StateFileError
from keyturn_client.engine.whole import Vanished

__all__ = [
    "AccountStatus",
    "Apply",
    "Engine",
    "EngineStatus",
    "LetGo",
    "Run",
    "StateFileError",
    "Vanished",
    "Workflows",
]
