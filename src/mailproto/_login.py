"""One log-in of a client: what stands between a SASL mechanism and a protocol.

The protocols differ in how a challenge and a response look on the wire.  When the
first response goes out, how many challenges are too many, what becomes of one that
cannot be trusted, and which mechanism is taken, is the same for all and said here (RFC
4422 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from . import sasl
from ._connection import ClientConnection, Security
from .errors import LimitExceeded, LocalProtocolError, RemoteProtocolError


@dataclass(frozen=True, slots=True)
class Response:
    """The client's turn in a log-in, ``dGVzdA==``; *data* is decoded.

    RFC 3501 6.2.2, RFC 4954 4, RFC 5034 4.
    """

    data: bytes = field(default=b"", repr=False)

    def masked(self) -> bytes:
        """What a transcript may show."""
        return b"****"

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        return sasl.encode_base64(self.data) + b"\r\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(sasl.decode_base64(line))


@dataclass(frozen=True, slots=True)
class Cancel:
    """The client gives the log-in up, ``*``.  Answer it with a refusal."""

    def masked(self) -> bytes:
        """What a transcript may show."""
        return b"*"

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        return b"*\r\n"


def write_auth(mechanism: str, initial: bytes | None) -> bytes:
    """What stands behind AUTH: the mechanism, and the first response if there is one.

    An empty one is ``=``: it is there, and says nothing.
    """
    name = mechanism.encode("ascii")
    if initial is None:
        return name
    return b"%s %s" % (name, sasl.encode_base64(initial) or b"=")


def read_auth(argument: bytes) -> tuple[str, bytes | None]:
    """The same back; raises ValueError for what is not base64."""
    name, space, coded = argument.partition(b" ")
    mechanism = name.decode("ascii")
    if not space:
        return mechanism, None
    if not coded:
        raise ValueError("an empty initial response is written as =")
    return mechanism, b"" if coded == b"=" else sasl.decode_base64(coded)


class Login:
    """Answers the challenges of one log-in, or leaves them to the caller.

    Without a *mechanism* the caller answers (``by_hand``), and *initial* is what he
    wants to go out first.
    """

    __slots__ = ("_exchange", "_limit", "_rounds", "awaited", "cause", "unsaid")

    def __init__(
        self, mechanism: sasl.Mechanism | None, initial: bytes | None, rounds: int
    ) -> None:
        self._exchange = mechanism.start() if mechanism is not None else None
        self._limit = rounds
        self._rounds = 0
        #: the first response, as long as it has not gone out
        self.unsaid = initial if self._exchange is None else self._exchange.initial()
        #: whether the caller is to answer a challenge now
        self.awaited = False
        #: why we gave up
        self.cause: RemoteProtocolError | None = None

    @property
    def by_hand(self) -> bool:
        return self._exchange is None

    def initial(self, room: int) -> bytes | None:
        """The first response in base64, if there is one of at most *room* octets.

        An empty one is ``=``.  One that does not fit answers the empty challenge
        that the server then begins with (RFC 5034 4, RFC 4954 4).
        """
        if self.unsaid is None:
            return None
        coded = sasl.encode_base64(self.unsaid) or b"="
        if len(coded) > room:
            return None
        self.unsaid = None
        return coded

    def first_line(self, mechanism: str, most: int) -> tuple[bytes, bytes]:
        """AUTH, and the first response if that leaves it *most* octets or less.

        Then the same as a transcript may show it.
        """
        line = b"AUTH " + mechanism.encode("ascii")
        initial = self.initial(most - len(line) - len(b" \r\n"))
        if initial is None:
            return line + b"\r\n", line
        return line + b" " + initial + b"\r\n", line + b" ****"

    def respond(self, challenge: bytes) -> bytes | None:
        """The response to *challenge*; ``None``: cancel the log-in.

        ``cause`` then tells why.  Raises LimitExceeded("sasl_rounds").
        """
        self.count()
        try:
            if self.unsaid is not None:
                if challenge:
                    raise RemoteProtocolError("a challenge before the first response")
                response, self.unsaid = self.unsaid, None
                return response
            assert self._exchange is not None
            return self._exchange.respond(challenge)
        except RemoteProtocolError as error:
            self.cause = error
            return None

    def count(self) -> None:
        self._rounds += 1
        if self._rounds > self._limit:
            what = "too many challenges in one log-in"
            raise LimitExceeded("sasl_rounds", self._limit, what)

    def granted(self) -> None:
        """The server let us in; raises RemoteProtocolError if it may be a false one."""
        if self.cause is not None:
            raise RemoteProtocolError("a log-in that was cancelled was granted")
        if self._exchange is not None:
            self._exchange.finish()


def choose(
    client: ClientConnection[Any],
    offered: Sequence[str],
    name: str,
    *,
    password: str,
    token: str,
    mechanisms: Sequence[sasl.Mechanism] | None,
) -> sasl.Mechanism | None:
    """The strongest mechanism on offer that is allowed here; ``None``: there is none.

    Of those for *password* and *token*, or of *mechanisms*, if the caller has his own.
    """
    if mechanisms is None:
        mechanisms = sasl.candidates(
            name, password=password, token=token, offered=offered
        )
    cleartext = client.security is Security.CLEARTEXT
    return sasl.choose(offered, mechanisms, tls=client.tls, allow_cleartext=cleartext)


def no_way_in(offered: Sequence[str]) -> LocalProtocolError:
    """The error for a log-in that cannot be tried in any way that is allowed."""
    known = " ".join(offered) or "none"
    return LocalProtocolError(
        f"no way to log in that is allowed here (SASL mechanisms on offer: {known})"
    )
