"""A mail server in one object: for tests, demos, development."""

from .server import MailServer
from .store import StoredMessage

__all__ = ["MailServer", "StoredMessage"]
