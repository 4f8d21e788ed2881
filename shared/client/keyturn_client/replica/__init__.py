"""What a brand may use and reach, known in the process that asks: decided in microseconds."""

from keyturn_client.replica.replica import Replica

__all__ = ["Replica"]
