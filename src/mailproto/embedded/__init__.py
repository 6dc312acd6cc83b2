"""A mail server in one object: for tests, demos, development."""

from .arrivals import Arrivals
from .messages import FiledMessage, Origin, StoredMessage
from .server import MailServer

__all__ = ["Arrivals", "FiledMessage", "MailServer", "Origin", "StoredMessage"]
