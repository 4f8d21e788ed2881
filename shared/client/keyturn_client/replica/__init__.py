"""What a brand has installed, known in the process that asks: decided in microseconds, no I/O."""

from keyturn_client.replica.replica import Replica

__all__ = ["Replica"]
