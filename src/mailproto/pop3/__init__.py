"""POP3 (RFC 1939, 2449, 2595, 5034, 6856): ``Client``, ``Server``, what they say."""

# ruff: isort: skip_file
# fmt: off
from .client import Client
from .commands import (
    Apop, Auth, Cancel, Capa, Dele, Lang, List, Noop, Pass, Pop3Command, Quit, Response,
    Retr, Rset, Shape, Stat, Stls, Top, Uidl, User, Utf8,
)
from .responses import (
    Capabilities, Capability, Challenge, Expire, Greeting, Language, Listing,
    LoginDelay, Quirk, Reply, ResponseCode, StatData, UniqueId,
)
from .scripts import Arrived, Incoming, fetch_new, log_in, log_in_kpop
from .server import Server
from .state import Dialect, Limits, STANDARD, State

__all__ = [
    "STANDARD", "Apop", "Arrived", "Auth", "Cancel", "Capa", "Capabilities",
    "Capability", "Challenge", "Client", "Dele", "Dialect", "Expire", "Greeting",
    "Incoming", "Lang", "Language", "Limits", "List", "Listing", "LoginDelay", "Noop",
    "Pass", "Pop3Command", "Quirk", "Quit", "Reply", "Response", "ResponseCode", "Retr",
    "Rset", "Server", "Shape", "Stat", "StatData", "State", "Stls", "Top", "Uidl",
    "UniqueId", "User", "Utf8", "fetch_new", "log_in", "log_in_kpop",
]
