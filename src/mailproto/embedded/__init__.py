"""A mail server in one object: for tests, demos, development."""

from .messages import FiledMessage, Origin, StoredMessage
from .server import MailServer

__all__ = ["FiledMessage", "MailServer", "Origin", "StoredMessage"]
