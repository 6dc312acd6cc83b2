"""A mail server in one object: for tests, demos, development."""

from .arrivals import Arrivals
from .conversations import Conversation
from .faults import Fault, Faults
from .messages import FiledMessage, Origin, StoredMessage
from .server import MailServer

__all__ = [
    "Arrivals",
    "Conversation",
    "Fault",
    "Faults",
    "FiledMessage",
    "MailServer",
    "Origin",
    "StoredMessage",
]
