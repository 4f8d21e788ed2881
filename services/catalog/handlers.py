"""The catalog on the wire: it accepts no command and listens to nobody yet."""

from shared.messaging.handlers import Handlers

handlers = Handlers()
