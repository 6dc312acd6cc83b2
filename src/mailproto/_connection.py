"""One end of one conversation: bytes in, events out; values in, bytes out.

Every protocol and role is a subclass that fills in three blanks: ``send``,
``_read`` and ``_end``.  Four verbs are all that a caller needs:

    receive_data(data)   next_event()   send(value)   data_to_send()

Events are made one at a time, by next_event, and the state moves only as an event
is handed over: what ``state`` says is what you have handled, never what waits in
the buffer.  Whoever does not ask is not fed.

Where TLS comes from.  ``security`` says what the caller demands, and it is part of
the machine, not advice to whoever does the I/O.  With IMPLICIT the first thing that
next_event returns is START_TLS; with STARTTLS nothing but the upgrade (and what
leads to it) can be sent until it has happened.  After an upgrade was agreed upon,
next_event returns START_TLS until tls_started() is called, and one byte that comes
in between is an error: RFC 3207 6 and RFC 2595 4 let nothing that was said before
the handshake be believed after it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import Any, ClassVar, Final, Generic, Literal, Protocol, TypeVar

from ._buffer import ReceiveBuffer
from ._command import Bad, Call, Command
from ._proxy import ProxyHeader, take_header
from .errors import LimitExceeded, LocalProtocolError, RemoteProtocolError

Sent = TypeVar("Sent", contravariant=True)
Event = TypeVar("Event", covariant=True)
R = TypeVar("R")


class Signal(Enum):
    """Whose move is it, before there can be another event?"""

    NEED_DATA = auto()  #: the network's: read, and call receive_data
    START_TLS = auto()  #: TLS's: write what there is, handshake, tls_started
    PAUSED = auto()  #: yours: send something first


NEED_DATA: Final = Signal.NEED_DATA
START_TLS: Final = Signal.START_TLS
PAUSED: Final = Signal.PAUSED


class Security(Enum):
    """What is demanded of TLS."""

    IMPLICIT = "implicit"  #: TLS from the first octet on (RFC 8314 3)
    STARTTLS = "starttls"  #: an upgrade, before anything of worth is said
    OPTIONAL = "optional"  #: none; but no password crosses in the clear
    CLEARTEXT = "cleartext"  #: none, and passwords may cross in the clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a peer may ask of us.  A protocol adds what is its own.

    Each is checked before memory is given; beyond it is LimitExceeded.
    """

    #: octets of the longest line of protocol, CRLF included
    line: int = 8192
    #: octets of an over-long line that are read past before we hang up
    discarded: int = 1_048_576
    #: octets of message that ``run`` will gather; ``stream`` gathers none
    collected: int = 67_108_864
    #: commands that a client may have on their way at once
    in_flight: int = 1000
    #: commands that a server cannot obey before it hangs up (Postfix: 20)
    bad_commands: int = 20
    #: log-ins that a server refuses before it hangs up (Dovecot, Postfix: 3)
    failed_logins: int = 3
    #: challenges in one log-in; no mechanism that we know needs half of them
    sasl_rounds: int = 10
    #: octets of one SASL line, base64 and CRLF included (RFC 4954 4)
    sasl_line: int = 12_288
    #: octets that a PROXY header says that it has, besides its first 16
    proxy: int = 4096

    def __post_init__(self) -> None:
        for entry in fields(self):
            if getattr(self, entry.name) < 1:
                raise ValueError(f"limit {entry.name!r} must be 1 or more")


class Masked(Protocol):
    """What may hold a secret."""

    def write(self) -> bytes: ...

    def masked(self) -> bytes: ...


class Connection(ABC, Generic[Sent, Event]):
    """What the two ends of all protocols share; see the module's docstring."""

    #: what to offer as application protocol in the handshake (RFC 7301), if anything
    alpn: ClassVar[tuple[str, ...]] = ()
    #: who we are in a transcript
    side: ClassVar[Literal["C", "S"]]

    # For the sake of the subclasses: of objects with more than 30 attributes besides,
    # CPython does not know the places, and looks each of them up.
    __slots__ = (
        "_await_tls",
        "_base_limits",
        "_failure",
        "_in",
        "_out",
        "_wants_tls",
        "security",
        "tap",
        "tls",
        "trace",
    )

    def __init__(self, security: Security, limits: Limits) -> None:
        self.security: Final = security
        self.tls = False  #: whether what comes and goes now is encrypted
        self._in = ReceiveBuffer()
        self._out: list[bytes] = []
        self._await_tls = security is Security.IMPLICIT
        self._wants_tls = security is Security.STARTTLS
        self._failure: RemoteProtocolError | None = None
        self._base_limits = limits
        #: told who speaks ("C" or "S") and what: one line without its CRLF, or a
        #: remark in parentheses where a message goes by.  Secrets are masked.
        self.trace: Callable[[str, bytes], None] | None = None
        #: told who speaks ("C" or "S") and the octets, secrets and all, as they come
        #: in or are taken to be written; none where that side closes.  "TLS" stands
        #: for a handshake.  ``testing.Recording`` makes a transcript of it.
        self.tap: Callable[[str, bytes], None] | None = None

    # -- bytes -----------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes from the network; ``b""`` means that the peer closed its side."""
        if self.tap is not None:
            self.tap("S" if self.side == "C" else "C", bytes(data))
        if not len(data):
            self._in.eof = True
        elif self._await_tls:  # next_event will tell: this call never fails
            self._fail(RemoteProtocolError("plaintext where the TLS handshake is due"))
        elif self._failure is None:
            self._in.feed(data)

    def data_to_send(self) -> list[bytes]:
        """Take what is to be written, in order; empty when there is nothing.

        No piece is empty: for ``receive_data`` that would be the end.
        """
        out, self._out = self._out, []
        if not all(out):
            out = [data for data in out if data]
        if self.tap is not None and out:
            self.tap(self.side, b"".join(out))
        return out

    @property
    def buffered(self) -> int:
        """How many octets wait to become events."""
        return len(self._in)

    @property
    def tls_demanded(self) -> bool:
        """Whether nothing of worth may be said yet, for want of TLS."""
        return not self.tls and self._wants_tls

    @property
    def tls_due(self) -> bool:
        """Whether a TLS handshake is what both ends now wait for."""
        return self._await_tls and self._failure is None

    @property
    def trailing_data(self) -> bytes:
        """Received, and not part of any event yet: for whoever takes over."""
        return bytes(self._in)

    # -- values ----------------------------------------------------------------

    @abstractmethod
    def send(self, value: Sent) -> object:
        """Queue *value*, or raise LocalProtocolError and change nothing.

        A connection that has failed raises that failure here too.
        """

    def next_event(self) -> Event | Signal:
        """The next event, or the signal that tells what must happen first.

        Raises RemoteProtocolError, and then the same one for ever.
        """
        if self._failure is not None:
            raise self._failure
        if self._await_tls and not self._in.eof:
            return START_TLS
        try:
            event = self._read()
            if event is None and self._in.eof:
                event = self._end()
        except RemoteProtocolError as failure:
            self._fail(failure)
            raise
        if self._failure is not None:
            raise self._failure
        if event is None:
            return START_TLS if self._await_tls else NEED_DATA
        return event

    def tls_started(self) -> None:
        """Say that from here on every byte came through TLS."""
        if not self._await_tls:
            raise LocalProtocolError("no TLS handshake is due")
        self._await_tls = False
        self.tls = True
        if self.tap is not None:
            self.tap("TLS", b"")

    # -- for the subclasses ----------------------------------------------------

    @abstractmethod
    def _read(self) -> Event | Signal | None:
        """Make one event of the buffer; ``None`` if it holds too little."""

    @abstractmethod
    def _end(self) -> Event:
        """The event that the peer's closing makes, or RemoteProtocolError."""

    def _write(self, data: bytes, shown: bytes | None = None) -> None:
        """Queue *data*; a transcript shows *shown* in its place."""
        self._out.append(data)
        if self.trace is not None:
            self.trace(self.side, (data if shown is None else shown).rstrip(b"\r\n"))

    def _write_masked(self, value: Masked) -> None:
        """Queue *value*; a transcript shows it without its secrets."""
        self._out.append(value.write())
        if self.trace is not None:
            self.trace(self.side, value.masked().rstrip(b"\r\n"))

    def _heard(self, shown: bytes) -> None:
        """Tell a transcript what the peer said."""
        if self.trace is not None:
            self.trace("S" if self.side == "C" else "C", shown.rstrip(b"\r\n"))

    def _start_tls(self) -> None:
        """TLS is agreed upon: the next move is a handshake, or there is none."""
        if len(self._in):
            self._fail(RemoteProtocolError("plaintext where the TLS handshake is due"))
        self._await_tls = True

    def _fail(self, failure: RemoteProtocolError) -> None:
        """Latch *failure*: from here on there is nothing else to be had."""
        self._failure = self._failure or failure


class ClientConnection(Connection[Command[Any], Event]):
    """A connection whose sending is worth a result."""

    side = "C"
    #: commands that lead to TLS and may be said before it
    before_tls: ClassVar[frozenset[type[object]]] = frozenset()

    @abstractmethod
    def send(self, value: Command[R]) -> Call[R]:
        """Queue *value*; the events that answer it name the call returned.

        Raises LocalProtocolError and changes nothing if it cannot be sent now.
        """

    def _check_trust(self, command: Command[Any]) -> None:
        """Raise LocalProtocolError if *command* may not be said without TLS."""
        if self.tls:
            return
        name = type(command).__name__
        if self.tls_demanded and type(command) not in self.before_tls:
            raise LocalProtocolError(
                f"{name} cannot be sent before TLS, which is demanded"
            )
        if command.reveals_secret and self.security is not Security.CLEARTEXT:
            raise LocalProtocolError(
                f"{name} would send a password in the clear: start TLS first, "
                "or say Security.CLEARTEXT"
            )


class LastWord(Protocol):
    """What a server may still say before it hangs up."""

    def write(self) -> bytes: ...


A = TypeVar("A", bound=LastWord)

# What web browsers and scanners say to a mail server: RFC 9110 9, and WebDAV's.  A
# body that follows may well be a conversation in our protocol, so the first such
# line is the last (the cross-protocol attack of ALPACA, 2021).
_HTTP = re.compile(
    rb"[A-Z]++ [^ ]++ HTTP/[0-9.]|(?:GET|POST|PUT|CONNECT|HEAD|OPTIONS) "
)


class ServerConnection(Connection[Sent, Event], Generic[Sent, Event, A]):
    """A connection that counts what its client does wrong.

    It takes one command at a time: until that is answered, next_event is PAUSED
    and what a pipelining client has sent meanwhile waits in the buffer.

    With *proxied*, a trusted proxy says first who its client is: nothing can be said
    before that, no TLS starts, and then ``proxy_header`` has it.
    """

    side = "S"

    def __init__(
        self, security: Security, limits: Limits, *, proxied: bool = False
    ) -> None:
        super().__init__(security, limits)
        #: who the client is behind the proxy; ``None``: there is none, or not yet
        self.proxy_header: ProxyHeader | None = None
        self._proxied = proxied  # and the header is still to come
        self._await_tls &= not proxied
        self._bad_commands = 0
        self._failed_logins = 0
        self._too_long: LimitExceeded | None = None  # a line that is being skipped
        self._skipped = 0  # octets of it

    def send(self, value: Sent) -> None:
        """Queue *value*, or raise LocalProtocolError and change nothing.

        On a connection that has failed, its failure's hint can be sent, once.
        """
        if self._failure is None:
            if self._proxied:
                raise LocalProtocolError("the header of the proxy comes first")
            self._say(value)
            return
        hint: Any = self._failure.hint
        last_word: bool = hint is not None and value is hint
        if not last_word:
            raise self._failure
        self._failure.hint = None
        self._write(hint.write())

    def next_event(self) -> Event | Signal:
        """The next event, or the signal that tells what must happen first.

        Raises RemoteProtocolError, and then the same one for ever.
        """
        if self._proxied and self._failure is None:
            try:
                self.proxy_header = take_header(self._in, self._base_limits.proxy)
            except RemoteProtocolError as failure:
                self._fail(failure)
            if self.proxy_header is not None:
                self._proxied = False
                if self.security is Security.IMPLICIT:
                    self._start_tls()
            elif self._in.eof:
                self._fail(RemoteProtocolError("connection closed in a PROXY header"))
            elif self._failure is None:
                return NEED_DATA
        return super().next_event()

    @abstractmethod
    def _say(self, value: Sent) -> None:
        """Queue *value*, or raise LocalProtocolError and change nothing."""

    @property
    def cleartext_refused(self) -> bool:
        """Whether a password that crosses in the clear now must be refused."""
        return not self.tls and self.security is not Security.CLEARTEXT

    def _take_command(self, limit: int, name: str) -> bytes | LimitExceeded | None:
        """The next line; or, once it is past, the reason why one was not taken."""
        if self._too_long is None:
            try:
                line = self._in.take_line(limit, name)
            except LimitExceeded as exceeded:
                self._too_long, self._skipped = exceeded, 0
            else:
                if line is not None and _HTTP.match(line):
                    raise RemoteProtocolError("HTTP was spoken to a mail server")
                return line
        before = len(self._in)
        over = self._in.skip_line()
        self._skipped += before - len(self._in)
        allowed = self._base_limits.discarded
        if self._skipped > allowed:
            raise LimitExceeded("discarded", allowed, "line without an end")
        if not over:
            return None
        past, self._too_long = self._too_long, None
        return past

    def _heard_command(self, event: Any) -> None:
        """Tell a transcript of a command, without its secrets, or of what is none."""
        if self.trace is not None:
            self._heard(b"(no command)" if isinstance(event, Bad) else event.masked())

    def _bad(self, line: bytes, hint: A) -> Bad[Any]:
        """The event for a line that cannot be obeyed; the last one is an error."""
        self._bad_commands += 1
        allowed = self._base_limits.bad_commands
        if self._bad_commands > allowed:
            raise LimitExceeded("bad_commands", allowed, "too many bad commands", hint)
        return Bad(line, hint)

    def _check_nothing_behind(self, verb: str, hint: A) -> None:
        """Raise RemoteProtocolError if the client did not wait for TLS."""
        if len(self._in):
            # It would be read as if it had come through TLS (CVE-2011-0411).
            raise RemoteProtocolError(f"plaintext behind {verb}", hint)

    def _login_failed(self) -> None:
        """Count a refused log-in; the last one is the end, once it is answered."""
        self._failed_logins += 1
        allowed = self._base_limits.failed_logins
        if self._failed_logins >= allowed:
            what = "too many failed log-ins"
            self._fail(LimitExceeded("failed_logins", allowed, what))
