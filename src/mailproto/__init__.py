"""POP3, SMTP and IMAP without I/O: bytes in, events out; values in, bytes out.

``mailproto.pop3``, ``mailproto.smtp`` and ``mailproto.imap`` each hold a ``Client``, a
``Server``, and what they say to each other; ``mailproto.sync``, ``.asyncio`` and
``.trio`` put sockets under them.  What all protocols share is here.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from ._command import (
    Bad,
    Call,
    Chunk,
    Closed,
    Command,
    Completed,
    Deviation,
    End,
    Flow,
    GoAhead,
    Hand,
    Lines,
    Part,
    Pipelined,
    Relay,
    Script,
    do,
)
from ._connection import (
    NEED_DATA,
    PAUSED,
    START_TLS,
    ClientConnection,
    Connection,
    Limits,
    Security,
    ServerConnection,
    Signal,
)
from ._proxy import ProxyHeader, ProxyTransport
from .errors import (
    CommandFailed,
    LimitExceeded,
    LocalProtocolError,
    MailError,
    RemoteProtocolError,
)

if TYPE_CHECKING:
    from . import imap, pop3, smtp
else:  # for a type checker such a function would know every name

    def __getattr__(name: str) -> ModuleType:
        """A protocol, when somebody first asks for it: he pays for no other."""
        if name in {"imap", "pop3", "smtp"}:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"

__all__ = [
    "NEED_DATA",
    "PAUSED",
    "START_TLS",
    "Bad",
    "Call",
    "Chunk",
    "ClientConnection",
    "Closed",
    "Command",
    "CommandFailed",
    "Completed",
    "Connection",
    "Deviation",
    "End",
    "Flow",
    "GoAhead",
    "Hand",
    "LimitExceeded",
    "Limits",
    "Lines",
    "LocalProtocolError",
    "MailError",
    "Part",
    "Pipelined",
    "ProxyHeader",
    "ProxyTransport",
    "Relay",
    "RemoteProtocolError",
    "Script",
    "Security",
    "ServerConnection",
    "Signal",
    "do",
    "imap",
    "pop3",
    "smtp",
]
