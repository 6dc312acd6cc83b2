"""One log-in: what stands between a SASL mechanism and a protocol, at both ends.

The protocols differ in how a challenge and a response look on the wire.  When the
first response goes out, how many challenges are too many, what becomes of one that
cannot be trusted, and which mechanism is taken, is the same for all and said here (RFC
4422 3).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

from . import sasl
from ._command import Bad, Call, GoAhead
from ._connection import (
    ClientConnection,
    LastWord,
    Limits,
    Security,
    Sent,
    ServerConnection,
)
from .errors import LimitExceeded, LocalProtocolError, RemoteProtocolError

Event = TypeVar("Event", covariant=True)
A = TypeVar("A", bound=LastWord)


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's turn in a log-in, ``+ dGVzdA==``; *data* is decoded.

    RFC 3501 6.2.2, RFC 5034 4.
    """

    #: what stands before it on the wire
    begins: ClassVar[bytes] = b"+ "
    data: bytes = field(default=b"", repr=False)

    def masked(self) -> bytes:
        """What a transcript may show."""
        return self.begins + b"****"

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        return self.begins + sasl.encode_base64(self.data) + b"\r\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        if not line.startswith(cls.begins):
            raise ValueError(f"a challenge begins with {cls.begins.decode()!r}")
        return cls(sasl.decode_base64(line[len(cls.begins) :]))


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


@dataclass(frozen=True, slots=True)
class LogIn:
    """The command that begins one, but for what it is called.

    *initial* is the first response, decoded; ``None`` is none, ``b""`` an empty one.
    *client* answers the challenges; without one, the caller does.
    """

    verb: ClassVar[bytes]
    locks: ClassVar[bool] = True
    mechanism: str
    initial: bytes | None = field(default=None, repr=False)
    client: sasl.Mechanism | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        sasl.check_name(self.mechanism)
        object.__setattr__(self, "mechanism", self.mechanism.upper())
        line = b"%s %s\r\n" % (self.verb, write_auth(self.mechanism, self.initial))
        if len(line) > sasl.MAX_RESPONSE:
            raise ValueError("the first response is too long")

    @classmethod
    def using(cls, client: sasl.Mechanism) -> Self:
        """To log in with *client*."""
        return cls(client.mechanism, client=client)

    @property
    def reveals_secret(self) -> bool:
        """Whether it carries a password that anybody on the way could read."""
        return sasl.reveals_secret(self.client or self.mechanism)

    def masked(self) -> bytes:
        """What a transcript may show."""
        line = self.verb + b" " + self.mechanism.encode("ascii")
        return line if self.initial is None else line + b" ****"


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


class LoginClient(ClientConnection[Event]):
    """A client that can log in: it answers challenges, or has its caller do it."""

    def __init__(self, security: Security, limits: Limits) -> None:
        super().__init__(security, limits)
        self._login: Login | None = None  # the one that is going on

    def _begin_login(self, command: LogIn, most: int, tag: bytes = b"") -> None:
        """Write *command*, with its first response if *most* octets hold that, too."""
        rounds = self._base_limits.sasl_rounds
        self._login = Login(command.client, command.initial, rounds)
        line = tag + command.verb + b" " + command.mechanism.encode("ascii")
        initial = self._login.initial(most - len(line) - len(b" \r\n"))
        if initial is None:
            self._write(line + b"\r\n")
        else:
            self._write(line + b" " + initial + b"\r\n", line + b" ****")

    def _send_response(self, value: Response | Cancel) -> None:
        """The caller's answer; raises LocalProtocolError if none is awaited."""
        if self._login is None or not self._login.awaited:
            raise LocalProtocolError(f"no challenge waits for a {type(value).__name__}")
        self._login.awaited = False
        self._say_turn(value)

    def _say_turn(self, value: Response | Cancel) -> None:
        self._write_masked(value)

    def _answer_challenge(
        self, call: Call[Any], login: Login, challenge: bytes | None
    ) -> GoAhead | None:
        """Answer *challenge*, or leave that to the caller.

        ``None``: it is not base64.  RFC 4954 4: the client "MUST cancel" then.
        """
        response = None
        if challenge is None:
            login.count()
            login.cause = RemoteProtocolError("a challenge that is not base64")
        elif login.by_hand and login.unsaid is None:
            login.count()
            login.awaited = True
            return GoAhead(call, challenge)
        else:
            response = login.respond(challenge)
        self._say_turn(Cancel() if response is None else Response(response))
        return None


class LoginServer(ServerConnection[Sent, Event, A], Generic[Sent, Event, A]):
    """A server that lets its clients log in: its Challenge waits for their turn."""

    def __init__(
        self, security: Security, limits: Limits, *, proxied: bool = False
    ) -> None:
        super().__init__(security, limits, proxied=proxied)
        self._challenged = False  # the client's turn is awaited
        self._rounds = 0  # of this log-in

    def _challenge(self, challenge: Challenge) -> None:
        self._write_masked(challenge)
        self._challenged = True

    def _read_response(self) -> Response | Cancel | Bad[Any] | None:
        """The client's turn; ``None``: it is not all here."""
        limits = self._base_limits
        line = self._take_command(limits.sasl_line, "sasl_line")
        if line is None:
            return None
        self._challenged = False
        self._rounds += 1
        if isinstance(line, LimitExceeded) or self._rounds > limits.sasl_rounds:
            return self._bad_response(b"", "too much for one log-in")
        if line == b"*":
            self._heard(line)
            return Cancel()
        self._heard(b"****")
        try:
            return Response.read(line)
        except ValueError:
            return self._bad_response(line, "that is not base64")

    @abstractmethod
    def _bad_response(self, line: bytes, why: str) -> Bad[Any]:
        """The event for a *line* that ends the log-in; ``b""``: it was too much."""
