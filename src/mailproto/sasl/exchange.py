"""What a log-in is made of, whatever the mechanism (RFC 4422).

A client says *what* it logs in with by a ``Mechanism``, a value that can be kept and
used again.  ``start`` makes an ``Exchange`` of it, a machine for one log-in:

    initial()             -> what the client says first, if it speaks first
    respond(challenge)    -> what it says next
    finish()              the server reports success: may it be believed?

A server answers an ``Exchange`` with a ``ServerExchange``, see ``server``.  All of it
is octets in and octets out: base64, and how a challenge looks on the wire, is the
protocol's.
"""

from __future__ import annotations

import base64
import binascii
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ..errors import RemoteProtocolError

MAX_RESPONSE: Final = 12_288  # octets of a line of base64: RFC 4954 4

_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def check_name(name: str) -> None:
    """Raise ValueError if *name* cannot be a mechanism's (RFC 4422 3.1)."""
    if not _NAME.fullmatch(name):
        raise ValueError("a mechanism is 1 to 20 letters, digits, hyphens, underscores")


def encode_base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)


def decode_base64(data: bytes) -> bytes:
    """The octets that *data* stands for.

    Raises ValueError for anything but the canonical form: RFC 5034 4 wants every
    other character refused and not ignored.
    """
    if not _BASE64.fullmatch(data):
        raise ValueError("that is not base64")
    decoded = base64.b64decode(data)
    if encode_base64(decoded) != data:
        raise ValueError("base64 that is not canonical")
    return decoded


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """RFC 5056: what both ends know of the TLS channel, and nobody between them.

    *kind* is ``tls-exporter`` (RFC 9266), ``tls-server-end-point`` or ``tls-unique``
    (RFC 5929); *data* comes from the TLS library.
    """

    kind: str
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.-]+", self.kind):
            raise ValueError("a channel binding is named by letters, digits, . and -")


class Exchange(ABC):
    """The client's side of one log-in."""

    def __init__(self) -> None:
        #: what the server said of the reason before it refuses (XOAUTH2, OAUTHBEARER)
        self.failure: bytes | None = None

    @abstractmethod
    def initial(self) -> bytes | None:
        """What goes out first; ``None``: the server speaks first."""

    @abstractmethod
    def respond(self, challenge: bytes) -> bytes:
        """The response to *challenge*.

        Raises RemoteProtocolError for one that is malformed, that comes out of turn,
        or that cannot be trusted: cancel then.
        """

    def finish(self) -> None:  # noqa: B027  # most have nothing to say here
        """The server let us in; raises RemoteProtocolError if it may be a false one."""


class Mechanism(ABC):
    """What a client logs in with.  A subclass is a frozen dataclass."""

    __slots__ = ()

    #: whoever reads the wire could log in with what goes over it
    reveals_secret: ClassVar[bool] = False

    @property
    @abstractmethod
    def mechanism(self) -> str:
        """As it stands on the wire, upper-case."""

    @abstractmethod
    def start(self) -> Exchange:
        """A machine for one log-in."""


def out_of_turn(name: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{name}: a challenge more than the mechanism has")
