"""The notes service, as the tests of the transport have it."""

from tests.transport.conftest import breakable, given, given_breakable, plain_logs

__all__ = ["breakable", "given", "given_breakable", "plain_logs"]
